"""A lab over several hosts: each namespace is on one, programs wait for those of their own, the ports are enough."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from labctl.topology.cables import address_of_host, cables_of, host_of
from labctl.topology.interface_ref import InterfaceRef
from labctl.topology.model import Topology
from labctl.topology.program_ref import ProgramRef
from labctl.topology.rules.finding import Finding
from labctl.topology.rules.interfaces import TAP_MOST_MTU
from labctl.topology.unknown_names import did_you_mean, listed


def of_hosts(topology: Topology) -> Iterator[Finding]:
    """Yield what is wrong with the hosts of a topology, and with what is on them."""
    if topology.hosts:
        yield from _placed(topology)
        yield from _addresses(topology)
        yield from _ports(topology)
        yield from _programs(topology)
        yield from _mtus(topology)


def without_use(topology: Topology) -> Iterator[Finding]:
    """Yield each host that no namespace is on; and the first namespace that names one, where the lab is over none."""
    used = {host_of(topology, name) for name in topology.namespaces}
    for host in topology.hosts:
        if host not in used:
            hint = f"put `host: {host}` into one, or leave the host out"
            yield Finding(("hosts", host), f"no namespace is on the host {host!r}", hint)
    named = [(name, space.host) for name, space in topology.namespaces.items() if space.host is not None]
    if named and not topology.hosts:
        where, host = named[0]
        hint = f"write `hosts: {{{host}: {{}}, ...}}`, or name an inventory with -i, for a lab over several"
        yield Finding(("namespaces", where, "host"), "the lab is on this machine alone: the file has no `hosts`", hint)


def _placed(topology: Topology) -> Iterator[Finding]:
    for where, namespace in topology.namespaces.items():
        if namespace.host is None and len(topology.hosts) > 1:
            what = f"the namespace {where!r} is on none of the hosts {listed([*topology.hosts])}"
            hint = f"say on which it is, for example host: {next(iter(topology.hosts))}"
            yield Finding(("namespaces", where), what, hint, (("namespaces", where, "host"),))
        elif namespace.host is not None and namespace.host not in topology.hosts:
            hint = did_you_mean(namespace.host, topology.hosts)
            absent = (("hosts", namespace.host),)
            yield Finding(("namespaces", where, "host"), f"there is no host {namespace.host!r}", hint, absent)


def _addresses(topology: Topology) -> Iterator[Finding]:
    first: dict[str, str] = {}
    used = {host_of(topology, name) for name in topology.namespaces}
    for name, host in topology.hosts.items():
        if name not in used:
            continue
        address = address_of_host(topology, name).lower()
        if address in first:
            key = "address" if host.address else "ssh"
            path = ("hosts", name, key) if host.address or host.ssh else ("hosts", name)
            what = f"the address {address} is that of the host {first[address]!r} already"
            yield Finding(path, what, "name the address that the other hosts send to")
        first.setdefault(address, name)


def _ports(topology: Topology) -> Iterator[Finding]:
    cables = Counter(host_of(topology, end.namespace) for cable in cables_of(topology) for end in cable)
    for name, host in topology.hosts.items():
        if host.ports is not None and host.ports.size < cables[name]:
            some = "1 port" if host.ports.size == 1 else f"{host.ports.size} ports"
            what = f"{name} has {some} for the ends of {cables[name]} cables to other hosts"
            yield Finding(("hosts", name, "ports"), what, "each takes one of its own: name more")


def _programs(topology: Topology) -> Iterator[Finding]:
    for where, namespace in topology.namespaces.items():
        for index, program in enumerate(namespace.programs):
            for place, text in enumerate(program.after):
                other = ProgramRef.near(text, where)
                if other.namespace not in topology.namespaces:
                    continue
                here, there = host_of(topology, where), host_of(topology, other.namespace)
                if here != there and here in topology.hosts and there in topology.hosts:
                    what = f"{other} is on the host {there}, {ProgramRef(where, program.name)} on {here}"
                    hint = "a program waits for those of its own host alone: put both on one, or leave `after` out"
                    yield Finding(("namespaces", where, "programs", index, "after", place), what, hint)


def _mtus(topology: Topology) -> Iterator[Finding]:
    """Yield each end of a cable whose MTU is larger than that of the TAP device that it becomes."""
    for cable in cables_of(topology):
        for end in cable:
            yield from _mtu(topology, end)


def _mtu(topology: Topology, end: InterfaceRef) -> Iterator[Finding]:
    interface = topology.namespaces[end.namespace].interfaces.get(end.interface)
    if interface is not None and interface.mtu is not None and interface.mtu > TAP_MOST_MTU:
        path = ("namespaces", end.namespace, "interfaces", end.interface, "mtu")
        what = f"an MTU of {interface.mtu} is too large for a cable between hosts"
        yield Finding(path, what, f"{TAP_MOST_MTU} at most: its ends are taps")
