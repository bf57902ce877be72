"""Interfaces: a veth has a peer that names it, a port is in one bridge."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from labctl.engine.packets.impairment import parse_rate, parse_time
from labctl.topology.interface_ref import InterfaceRef
from labctl.topology.model import Bridge, Impair, Interface, Tap, Topology, Veth
from labctl.topology.paths import Path
from labctl.topology.routing import LOOPBACK
from labctl.topology.rules.finding import Finding, kind_of, unknown_interface

_IPV6_LEAST_MTU = 1280  # RFC 8200, section 5; the kernel turns IPv6 off below it
TAP_MOST_MTU = 65535 - 14
"""The MTU of a TAP is less by the Ethernet header (tun_net_init() in drivers/net/tun.c)."""

# Why these cannot be ports of a bridge: the words of br_add_if() in the kernel.
_NO_PORT = {
    "tun": "a tun carries no Ethernet frames, so it cannot be a port; a tap can",
    "lo": "the loopback interface cannot be a port",
    "bridge": "a bridge cannot be a port of a bridge; join the two with a veth",
}


def of_interfaces(topology: Topology) -> Iterator[Finding]:
    """Yield what is wrong with the interfaces of a topology."""
    ports: dict[InterfaceRef, str] = {}
    for where, namespace in topology.namespaces.items():
        for name, interface in namespace.interfaces.items():
            own = InterfaceRef(where, name)
            here: Path = ("namespaces", where, "interfaces", name)
            yield from _name_and_kind(name, interface, here)
            yield from _mtu(interface, here)
            if isinstance(interface, Veth):
                yield from _peer(topology, own, interface.peer, (*here, "peer"))
            if isinstance(interface, Veth | Tap):
                yield from _impairment(interface.impair, (*here, "impair"))
            if isinstance(interface, Bridge):
                yield from _ports(topology, own, interface, here, ports)
                yield from _narrow_port(interface, namespace.interfaces, here)


def _name_and_kind(name: str, interface: Interface, here: Path) -> Iterator[Finding]:
    if name == LOOPBACK and interface.kind != "lo":
        what = f"'lo' is the loopback interface that every namespace has; it cannot be a {interface.kind}"
        yield Finding((*here, "kind"), what, "write kind: lo, or choose another name")
    if name != LOOPBACK and interface.kind == "lo":
        what = f"{name!r} cannot be of kind lo"
        yield Finding((*here, "kind"), what, "only the interface 'lo' is; choose another kind")


def _mtu(interface: Interface, here: Path) -> Iterator[Finding]:
    six = [address for address in interface.addresses if address.version == 6]
    if six and interface.mtu is not None and interface.mtu < _IPV6_LEAST_MTU:
        what = f"an MTU of {interface.mtu} is too small for the IPv6 address {six[0]}"
        yield Finding((*here, "mtu"), what, f"IPv6 needs at least {_IPV6_LEAST_MTU} (RFC 8200)")
    if isinstance(interface, Tap) and interface.mtu is not None and interface.mtu > TAP_MOST_MTU:
        what = f"an MTU of {interface.mtu} is too large for a tap"
        yield Finding((*here, "mtu"), what, f"the kernel allows {TAP_MOST_MTU} at most")


def _narrow_port(bridge: Bridge, interfaces: Mapping[str, Interface], here: Path) -> Iterator[Finding]:
    """A bridge without an MTU of its own has that of its narrowest port (br_mtu_auto_adjust(), net/bridge/br_if.c)."""
    six = [address for address in bridge.addresses if address.version == 6]
    for index, port in enumerate(bridge.ports if six and bridge.mtu is None else ()):
        mtu = interfaces[port].mtu if port in interfaces else None
        if mtu is not None and mtu < _IPV6_LEAST_MTU:
            what = f"the MTU of {port}, {mtu}, becomes that of the bridge, too small for the IPv6 address {six[0]}"
            yield Finding(
                (*here, "ports", index), what, f"IPv6 needs at least {_IPV6_LEAST_MTU} (RFC 8200): give either an mtu"
            )


def _peer(topology: Topology, own: InterfaceRef, peer: InterfaceRef, path: Path) -> Iterator[Finding]:
    if peer == own:
        yield Finding(path, f"{own} names itself as its peer", "a veth is a cable: name the interface at its other end")
        return
    unknown = unknown_interface(topology, peer, path)
    if unknown is not None:
        yield unknown
        return
    other = topology.namespaces[peer.namespace].interfaces.get(peer.interface)
    if not isinstance(other, Veth):
        what = f"the peer {peer} is a {kind_of(topology, peer)}, not a veth"
        yield Finding(path, what, "both ends of a cable are of kind veth")
    elif other.peer != own:
        what = f"the peer {peer} names {other.peer} as its own peer, not {own}"
        yield Finding(path, what, "the two ends of a cable name each other")


def _impairment(impair: Impair | None, path: Path) -> Iterator[Finding]:
    if impair is None:
        return
    if impair.seed is not None:
        what = "netem does not support seed"
        yield Finding((*path, "seed"), what, "leave it out; a tunnel endpoint takes one")
    if impair.rate is not None and 0 < parse_rate(impair.rate) < 8:
        yield Finding((*path, "rate"), f"a rate of {impair.rate} is too small for netem", "at least 8bit")
    if impair.delay is not None and parse_time(impair.delay) > 2**63 / 10**9:
        yield Finding((*path, "delay"), f"a delay of {impair.delay} is too long for netem", "at most 292 years")


def _ports(
    topology: Topology, own: InterfaceRef, bridge: Bridge, here: Path, seen: dict[InterfaceRef, str]
) -> Iterator[Finding]:
    for index, name in enumerate(bridge.ports):
        path = (*here, "ports", index)
        port = InterfaceRef(own.namespace, name)
        unknown = unknown_interface(topology, port, path)
        if unknown is not None:
            yield unknown
            continue
        kind = kind_of(topology, port)
        if kind in _NO_PORT:
            yield Finding(path, f"{port} is a {kind}", _NO_PORT[kind])
        elif port in seen:
            yield Finding(path, f"{port} is a port of {seen[port]} already", "an interface is a port once")
        seen.setdefault(port, own.interface)
