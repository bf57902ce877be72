"""The way of a packet through a lab, hop by hop, as far as the file shows it.

In each namespace the FIB says by which interface a packet leaves and to which next hop. Over a veth pair or bridges it
comes to the namespace that has the next hop's address. A TUN device with an endpoint carries it to where the endpoint
of its peer is, however that is reached. A namespace that the packet is not for passes it on where it forwards.

A way ends where the packet is received, or where the file does not show more: no route, an address without an owner, a
namespace that does not forward, a TUN or TAP device of a program that is not in the file, a loop.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Generator, Mapping

from labctl.frozen import frozen
from labctl.topology.interface_ref import InterfaceRef
from labctl.topology.model import Namespace, Topology, Tun, TunnelEndpoint
from labctl.topology.routing import LOOPBACK, Decision, Fib, connected
from labctl.topology.segments import Segments
from labctl.topology.values import Host, sysctl_parts

_Walk = Generator[InterfaceRef, InterfaceRef | None, "Way"]
"""Walks a way: yields each TUN device that it leads into, and is sent the one that the packet comes out of."""


@frozen
class Way:
    """The interfaces that a packet leaves and enters by, in order, and the namespace that takes it in, if one does.

    Where a route has several next hops they are the interfaces of all of their ways, the nearest first.
    """

    interfaces: tuple[InterfaceRef, ...]
    end: str | None
    mtu: int | None  # the smallest of its routes, where they have one


class Ways:
    """The ways of a topology.

    `of_tunnels` is the way of each tunnel's datagrams to the peer, by its TUN device. The tunnels that a way leads into
    stand before it, except in a cycle: there the way that closes it ends in the tunnel that it began with.
    """

    def __init__(self, topology: Topology, fibs: Mapping[str, Fib], segments: Segments) -> None:
        self._spaces = topology.namespaces
        self._fibs = fibs
        self._segments = segments
        self._owners: dict[Host, list[InterfaceRef]] = defaultdict(list)
        for where, namespace in topology.namespaces.items():
            for own, name in connected(namespace.interfaces):
                self._owners[own.ip].append(InterfaceRef(where, name))
        self.endpoints: dict[InterfaceRef, TunnelEndpoint] = {}  # by TUN device
        for endpoint in topology.ttun:
            space = topology.namespaces.get(endpoint.device.namespace)
            if space is not None and isinstance(space.interfaces.get(endpoint.device.interface), Tun):
                self.endpoints.setdefault(endpoint.device, endpoint)
        self._bound = {(device.namespace, end.bind): device for device, end in self.endpoints.items()}
        self.of_tunnels: dict[InterfaceRef, Way] = {}
        for device in self.endpoints:
            self._follow(device)

    def far_end(self, device: InterfaceRef) -> InterfaceRef | None:
        """Return the TUN device that the packets of another one come out of; None where the file does not show it."""
        way, peer = self.of_tunnels.get(device), self.endpoints[device].peer
        if way is None or way.end is None:
            return None
        anywhere = peer._replace(host=type(peer.host)(0))
        return self._bound.get((way.end, peer)) or self._bound.get((way.end, anywhere))

    def ends(self, start: str, address: Host) -> set[str]:
        """Return every namespace that receives a packet to an address, by any of the routes that match it."""
        found: set[str] = set()
        seen: set[InterfaceRef] = set()
        ahead = [InterfaceRef(start, "")]
        while ahead:
            arrived = ahead.pop()
            here = arrived.namespace
            if self._fibs[here].owner_of(address) is not None:
                found.add(here)
            elif arrived not in seen and (not seen or self._forwards(arrived, address)):
                nexts = (self._next(here, decision, address) for decision in self._fibs[here].candidates(address))
                ahead += [there for there in nexts if there is not None]
            seen.add(arrived)
        return found

    def _follow(self, device: InterfaceRef) -> None:
        """Find the way of a tunnel, and first those of the tunnels that it leads into."""
        # A stack of its own: tunnels can be nested deeper than Python calls.
        under_way = {} if device in self.of_tunnels else {device: self._to_peer(device)}
        comes_out: InterfaceRef | None = None
        while under_way:
            here, walk = next(reversed(under_way.items()))
            try:
                into = walk.send(comes_out)
            except StopIteration as done:
                del under_way[here]
                self.of_tunnels[here] = done.value
                comes_out = self.far_end(here)
                continue
            comes_out = self.far_end(into)
            if into not in self.of_tunnels and into not in under_way:
                under_way[into] = self._to_peer(into)

    def _to_peer(self, device: InterfaceRef) -> _Walk:
        endpoint = self.endpoints[device]
        source = None if endpoint.bind.host.is_unspecified else endpoint.bind.host
        return self._walk(device.namespace, endpoint.peer.host, source)

    def _walk(self, start: str, address: Host, source: Host | None) -> _Walk:
        passed: dict[InterfaceRef, None] = {}
        ends: list[str] = []
        mtus: list[int] = []
        seen: set[InterfaceRef] = set()
        ahead = deque([InterfaceRef(start, "")])
        while ahead:
            arrived = ahead.popleft()
            here = arrived.namespace
            ways = self._fibs[here].ways(address, source, arrived.interface or LOOPBACK)
            if any(way.local for way in ways):
                ends.append(here)
            elif arrived not in seen and (not seen or self._forwards(arrived, address)):
                for way in ways:
                    leaving = InterfaceRef(here, way.interface)
                    if leaving in self.endpoints:
                        passed[leaving] = None
                        comes_out = yield leaving
                    else:
                        comes_out = self.neighbour(leaving, way.via or address)
                        segment = self._segments.of(leaving)
                        passed.update(dict.fromkeys(segment.way(leaving, comes_out) if comes_out else (leaving,)))
                    mtus += () if way.mtu is None else (way.mtu,)
                    ahead += () if comes_out is None else (comes_out,)
            seen.add(arrived)
        return Way(tuple(passed), ends[0] if ends else None, min(mtus, default=None))

    def _next(self, here: str, decision: Decision, address: Host) -> InterfaceRef | None:
        """Return the interface by which a packet enters the next namespace."""
        leaving = InterfaceRef(here, decision.interface)
        if leaving in self.endpoints:
            return self.far_end(leaving)
        return self.neighbour(leaving, decision.via or address)

    def _forwards(self, arrived: InterfaceRef, address: Host) -> bool:
        return forwards(self._spaces[arrived.namespace], arrived.interface, address.version)

    def neighbour(self, leaving: InterfaceRef, address: Host) -> InterfaceRef | None:
        """Return the interface by which the packet enters the namespace of the next hop, None if none has the address.

        For IPv4 that is any interface of the namespace there, because Linux answers ARP requests for each of its
        addresses on every interface (ip-sysctl: arp_ignore). A link-local address that no interface of the file has is
        one that an interface has made by itself: that of the other end where there is only one.
        """
        segment = self._segments.of(leaving)
        owners = [owner for owner in self._owners.get(address, ()) if owner.namespace != leaving.namespace]
        having = [owner for owner in owners if owner in segment]
        if having:
            return segment.takes_in(having[0])
        if address.version == 4:
            entries = (segment.entry(owner.namespace) for owner in owners)
            return next((entry for entry in entries if entry is not None), None)
        others = segment.namespaces - {leaving.namespace}
        return segment.entry(*others) if address.is_link_local and len(others) == 1 else None


def forwards(namespace: Namespace, interface: str, version: int) -> bool:
    """Return whether a namespace forwards what arrives by an interface (ip-sysctl: forwarding)."""
    forwarding = False
    scopes = ("all", "default") if version == 4 else ("all",)  # ip6_forward() in the kernel asks for `all` alone
    own = None
    for key, value in namespace.sysctls.items():
        match sysctl_parts(key):
            case ("net", "ipv4", "ip_forward") if version == 4:
                forwarding = value != "0"
            case ("net", family, "conf", scope, "forwarding") if family == f"ipv{version}":
                if scope in scopes:
                    forwarding = value != "0"
                elif scope == interface and version == 4:
                    own = value != "0"
    return forwarding if own is None else own
