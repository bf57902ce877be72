"""Every step that makes a lab on a bare machine, in an order that the kernel accepts.

Namespaces, links, their properties, addresses, up, routes, engines.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping

from labctl.plan import settings
from labctl.plan.desired_routes import route_of, rule_of
from labctl.plan.mtu import SMALLEST, mtu_of, tunnel_mtus
from labctl.plan.netem import as_kept
from labctl.plan.steps import (
    AddAddress,
    AddLink,
    AddNamespace,
    AddRoute,
    AddRule,
    AddVeth,
    NoAutomaticAddresses,
    SetMac,
    SetMaster,
    SetMtu,
    SetNetem,
    SetSysctl,
    SetUp,
    StartEngine,
    Step,
)
from labctl.topology import model
from labctl.topology.interface_ref import InterfaceRef
from labctl.topology.model import Topology
from labctl.topology.values import ENDPOINT_WORDS


def desired(topology: Topology) -> Iterator[Step]:
    """Every step that makes the lab on a bare machine."""
    spaces = topology.namespaces.items()
    order = {name: place for place, name in enumerate(topology.namespaces)}
    for name, _ in spaces:
        yield AddNamespace(name)
    # All settings first: a cable is born in two namespaces, and both of its ends inherit from theirs.
    for name, space in spaces:
        yield from _early_sysctls(name, space)
    for name, space in spaces:
        yield from _links(order, name, space)
    tunnels = tunnel_mtus(topology)
    for name, space in spaces:
        yield from _properties(topology, tunnels, name, space)
    for name, space in spaces:
        for route in space.routes:
            yield AddRoute(name, route_of(route))
        for rule in space.rules:
            yield AddRule(name, rule_of(rule))
    for endpoint in topology.ttun:
        yield _engine(topology, endpoint)


def _early_sysctls(name: str, space: model.Namespace) -> Iterator[Step]:
    """Settings of the whole namespace, before there is any interface that would inherit the old ones."""
    for key, value in {**settings.baseline(space), **settings.of_file(space)}.items():
        if not _belongs_to_an_interface(key, space):
            yield SetSysctl(name, key, value)


def _links(order: Mapping[str, int], name: str, space: model.Namespace) -> Iterator[Step]:
    for interface_name, interface in space.interfaces.items():
        match interface:
            case model.Veth(peer=peer):
                # A cable is made once, at the end that stands first in the file.
                if (order[name], interface_name) < (order[peer.namespace], peer.interface):
                    yield AddVeth(name, interface_name, peer.namespace, peer.interface)
            case model.Tun(owner=owner) | model.Tap(owner=owner):
                yield AddLink(name, interface_name, interface.kind, owner)
            case model.Dummy() | model.Bridge():
                yield AddLink(name, interface_name, interface.kind)
            case model.Loopback():
                pass  # every namespace is born with it


def _properties(
    topology: Topology, tunnels: Mapping[InterfaceRef, int], name: str, space: model.Namespace
) -> Iterator[Step]:
    masters = {
        port: bridge
        for bridge, interface in space.interfaces.items()
        if isinstance(interface, model.Bridge)
        for port in interface.ports
    }
    asked_for = settings.of_file(space)
    for interface_name, interface in space.interfaces.items():
        ref = InterfaceRef(name, interface_name)
        mac = getattr(interface, "mac", None)
        if mac:
            yield SetMac(name, interface_name, mac)
        mtu = interface.mtu or tunnels.get(ref)
        if mtu:
            yield SetMtu(name, interface_name, mtu)
        if interface_name in masters:
            yield SetMaster(name, interface_name, masters[interface_name])
        if isinstance(interface, model.Veth) and (impairment := as_kept(str(interface.impair or "none"))):
            yield SetNetem(name, interface_name, impairment)
        has_ipv6 = mtu_of(topology, ref, tunnels) >= SMALLEST[6]  # the kernel takes IPv6 from a smaller interface
        asked = f"net/ipv6/conf/{interface_name}/addr_gen_mode" in asked_for
        wants_ipv6 = asked or any(address.version == 6 for address in interface.addresses)
        if interface.kind != "lo" and has_ipv6 and not wants_ipv6:
            yield NoAutomaticAddresses(name, interface_name)
    for key, value in asked_for.items():
        if _belongs_to_an_interface(key, space):
            yield SetSysctl(name, key, value)
    for interface_name, interface in space.interfaces.items():
        for address in interface.addresses:
            yield AddAddress(name, interface_name, str(address))
    yield SetUp(name, "lo")
    for interface_name, interface in space.interfaces.items():
        if interface.kind != "lo":
            yield SetUp(name, interface_name)


def _engine(topology: Topology, endpoint: model.TunnelEndpoint) -> StartEngine:
    device = topology.namespaces[endpoint.device.namespace].interfaces[endpoint.device.interface]
    return StartEngine(
        endpoint.device.namespace,
        endpoint.device.interface,
        str(endpoint.bind.host),
        endpoint.bind.port,
        str(endpoint.peer.host),
        endpoint.peer.port,
        _options(endpoint),
        device.owner if isinstance(device, model.Tun) else None,
        _program(endpoint),
        endpoint.engine.directory if endpoint.engine else "",
    )


def _options(endpoint: model.TunnelEndpoint) -> tuple[str, ...]:
    """What the file asks for, as options of the ttun command."""
    options = ["-v"] if endpoint.verbose else []
    options += [] if endpoint.offload else ["--no-offload"]
    options += ["--too-big", endpoint.too_big] if endpoint.too_big != "fragment" else []
    options += ["--impair", str(endpoint.impair)] if endpoint.impair else []
    options += ["--impair-in", str(endpoint.impair_in)] if endpoint.impair_in else []
    return tuple(options)


def _program(endpoint: model.TunnelEndpoint) -> tuple[str, ...]:
    """The words of somebody's own forwarder. It is split first and filled in then, so no value can become two words."""
    if endpoint.engine is None:
        return ()
    values = (endpoint.device.interface, *endpoint.bind, *endpoint.peer)
    filled_in = dict(zip(ENDPOINT_WORDS, values, strict=True))
    return tuple(word.format_map(filled_in) for word in shlex.split(endpoint.engine.command))


def _belongs_to_an_interface(key: str, space: model.Namespace) -> bool:
    """Whether a sysctl is one of an interface, as net/ipv4/conf/tun0/rp_filter is."""
    parts = key.split("/")
    return len(parts) > 4 and parts[2] in ("conf", "neigh") and parts[3] in space.interfaces
