"""Interfaces by which a namespace can masquerade; the language of a ruleset is that of nft(8) alone."""

from __future__ import annotations

from collections.abc import Iterator

from labctl.topology.interface_ref import InterfaceRef
from labctl.topology.model import Bridge, Namespace, Topology
from labctl.topology.paths import Path
from labctl.topology.routing import LOOPBACK
from labctl.topology.rules.finding import Finding, unknown_interface
from labctl.topology.values import SAME_SYSCTL, sysctl_parts

_FORWARDING = {4: "net.ipv4.ip_forward", 6: "net.ipv6.conf.all.forwarding"}


def of_masquerade(topology: Topology, where: str, namespace: Namespace) -> Iterator[Finding]:
    """Yield what is wrong with the interfaces by which a namespace masquerades."""
    for index, name in enumerate(namespace.masquerade):
        path: Path = ("namespaces", where, "masquerade", index)
        bridges = (
            bridge
            for bridge, interface in namespace.interfaces.items()
            if isinstance(interface, Bridge) and name in interface.ports
        )
        if name in namespace.masquerade[:index]:
            yield Finding(path, f"{name} is named already", "leave one of them out")
        elif name == LOOPBACK:
            yield Finding(path, "nothing is forwarded out of lo", "name the interface that leads to the outside")
        elif unknown := unknown_interface(topology, InterfaceRef(where, name), path):
            yield unknown
        elif bridge := next(bridges, None):
            what = f"{name} is a port of {bridge}: packets of the namespace leave by {bridge}"
            yield Finding(path, what, f"write masquerade: {bridge}")


def masquerades_for_nothing(topology: Topology) -> Iterator[Finding]:
    """Yield a warning for each namespace that masquerades, and that forwards nothing."""
    for where, namespace in topology.namespaces.items():
        addresses = [address for interface in namespace.interfaces.values() for address in interface.addresses]
        versions = sorted({address.version for address in addresses})
        if namespace.masquerade and versions and not any(_forwards(namespace, version) for version in versions):
            what = f"{where!r} masquerades, and forwards nothing: it has no {_FORWARDING[versions[0]]}"
            hint = f"sysctls: {{{_FORWARDING[versions[0]]}: 1}}"
            yield Finding(("namespaces", where, "masquerade"), what, hint)


def _forwards(namespace: Namespace, version: int) -> bool:
    """Return whether any setting of the file has the namespace forward packets of an IP version."""
    for key, value in namespace.sysctls.items():
        path = "/".join(sysctl_parts(key))
        parts = SAME_SYSCTL.get(path, path).split("/")
        if parts[:3] == ["net", f"ipv{version}", "conf"] and parts[-1] == "forwarding" and value != "0":
            return True
    return False
