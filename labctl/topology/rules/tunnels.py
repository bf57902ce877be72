"""Tunnel endpoints: a TUN device has one, a socket is bound once, and the two ends of a tunnel can meet."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping

from labctl.engine.packets.address import Address, check_bind, check_peer
from labctl.topology.interface_ref import InterfaceRef
from labctl.topology.model import Namespace, Topology, TunnelEndpoint
from labctl.topology.paths import Path
from labctl.topology.routing import Fib, broadcast_of, connected
from labctl.topology.rules.finding import Finding, kind_of, unknown_interface
from labctl.topology.unknown_names import listed
from labctl.topology.values import Host, SocketAddress

ANYWHERE: dict[int, Host] = {4: ipaddress.IPv4Address(0), 6: ipaddress.IPv6Address(0)}


def of_tunnels(topology: Topology, fibs: Mapping[str, Fib]) -> Iterator[Finding]:
    """Yield what is wrong with the tunnel endpoints of a topology."""
    devices: dict[InterfaceRef, int] = {}
    bound: dict[tuple[str, int, int], dict[Host, None]] = {}
    for index, endpoint in enumerate(topology.ttun):
        here: Path = ("ttun", index)
        where = endpoint.device.namespace
        yield from _device(topology, endpoint, (*here, "device"), devices)
        in_use = bound.setdefault((where, endpoint.bind.port, endpoint.bind.host.version), {})
        yield from _bound_once(endpoint, (*here, "bind"), in_use)
        yield from _ends(endpoint, here)
        namespace = topology.namespaces.get(where)
        if namespace is not None:
            yield from _own_address(namespace, fibs[where], endpoint, (*here, "bind"))
            yield from _no_broadcast(namespace, endpoint.peer.host, (*here, "peer"))


def _device(
    topology: Topology, endpoint: TunnelEndpoint, path: Path, seen: dict[InterfaceRef, int]
) -> Iterator[Finding]:
    device = endpoint.device
    unknown = unknown_interface(topology, device, path)
    if unknown is not None:
        yield unknown
        return
    kind = kind_of(topology, device)
    if kind != "tun":
        yield Finding(path, f"{device} is a {kind}, not a tun", "a ttun endpoint serves an interface of kind tun")
    elif device in seen:
        what = f"{device} has an endpoint already, number {seen[device] + 1} of this list"
        yield Finding(path, what, "a TUN device is served by one program")
    seen.setdefault(device, path[1] if isinstance(path[1], int) else 0)


def _bound_once(endpoint: TunnelEndpoint, path: Path, in_use: dict[Host, None]) -> Iterator[Finding]:
    """Yield a finding where a port is bound twice (EADDRINUSE); an unspecified address takes it on all addresses."""
    bind = endpoint.bind
    everywhere = ANYWHERE[bind.host.version]
    overlapping = [*in_use] if bind.host == everywhere else [host for host in (bind.host, everywhere) if host in in_use]
    if overlapping:
        other = SocketAddress(overlapping[0], bind.port)
        what = f"{bind} is bound by another endpoint in {endpoint.device.namespace!r} already"
        yield Finding(path, what if other == bind else f"{what}, as {other}", "choose another port")
    in_use[bind.host] = None


def _ends(endpoint: TunnelEndpoint, here: Path) -> Iterator[Finding]:
    """Yield what the engine itself refuses."""
    bind, peer = (Address(str(end.host), end.port) for end in (endpoint.bind, endpoint.peer))
    try:
        check_bind(bind)
    except ValueError as error:
        yield Finding((*here, "bind"), str(error), "bind another address")
    try:
        check_peer(bind, peer)
    except ValueError as error:
        yield Finding((*here, "peer"), str(error), "name the address that the other end binds")


def _own_address(namespace: Namespace, fib: Fib, endpoint: TunnelEndpoint, path: Path) -> Iterator[Finding]:
    host, where = endpoint.bind.host, endpoint.device.namespace
    within_a_link = host.version == 6 and host.is_link_local
    if not (host.is_unspecified or within_a_link) and fib.owner_of(host) is None:
        own = [str(address.ip) for address, _ in connected(namespace.interfaces) if address.version == host.version]
        hint = f"its addresses: {listed(own)}" if own else "give an interface this address"
        yield Finding(path, f"{host} is no address of {where!r}", hint, (("namespaces", where, "interfaces"),))


def _no_broadcast(namespace: Namespace, host: Host, path: Path) -> Iterator[Finding]:
    """Yield a finding for a broadcast address, to which the kernel refuses to connect a socket (EACCES)."""
    own = broadcast_of(namespace.interfaces, host)
    if own is not None:
        what = f"{host} is the broadcast address of {own.network}"
        yield Finding(path, what, "name the address that the other end binds")
