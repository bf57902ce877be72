"""Which interfaces receive each other's frames: the broadcast domains of a lab, and the way of a frame through one.

A frame goes from one end of a veth pair to the other, and through a bridge from one port to another or between a port
and the bridge's own interface. Interfaces that such steps join are one broadcast domain. A TUN device and the loopback
interface carry no frames, and are in none.

A veth pair counts where both of its ends name each other; `rules` says where they do not.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterator, Mapping

from labctl.topology.interface_ref import InterfaceRef
from labctl.topology.model import Bridge, Interface, Topology, Veth

_NO_FRAMES = ("tun", "lo")


class Segment:
    """A broadcast domain: its interfaces, as a tree of the shortest ways from the first of them.

    Bridges that are joined in a ring have several ways; the tree has one.
    """

    def __init__(
        self, before: Mapping[InterfaceRef, InterfaceRef], bridge_of: Mapping[InterfaceRef, InterfaceRef]
    ) -> None:
        self.interfaces = tuple(before)
        self._before = before
        self._bridge_of = bridge_of  # by port
        self._entries: dict[str, InterfaceRef] = {}
        for ref in before:
            self._entries.setdefault(ref.namespace, self.takes_in(ref))

    def __contains__(self, ref: InterfaceRef) -> bool:
        return ref in self._before

    @property
    def namespaces(self) -> frozenset[str]:
        """Return the namespaces that have an interface in it."""
        return frozenset(self._entries)

    def takes_in(self, ref: InterfaceRef) -> InterfaceRef:
        """Return the interface that receives what arrives at one: the bridge of a port, else the interface itself."""
        return self._bridge_of.get(ref, ref)

    def entry(self, namespace: str) -> InterfaceRef | None:
        """Return an interface by which frames enter a namespace; None where it has none here."""
        return self._entries.get(namespace)

    def way(self, one: InterfaceRef, other: InterfaceRef) -> tuple[InterfaceRef, ...]:
        """Return the interfaces that a frame leaves and enters by, from the one to the other.

        A bridge behind the first is left out: what it takes in or passes on is measured against the MTU of the ports
        (is_skb_forwardable() in the kernel).
        """
        there, back = self._to_first(one), self._to_first(other)
        while there[-2:-1] == back[-2:-1] != []:
            there.pop()
            back.pop()
        steps = (*there, *reversed(back[:-1]))
        bridges = {self._bridge_of.get(step) for step in steps}
        return (one, *(step for step in steps[1:] if step not in bridges))

    def _to_first(self, ref: InterfaceRef) -> list[InterfaceRef]:
        way = [ref]
        while self._before[way[-1]] != way[-1]:
            way.append(self._before[way[-1]])
        return way


class Segments:
    """The broadcast domains of a topology."""

    def __init__(self, topology: Topology) -> None:
        interfaces = dict(_with_frames(topology))
        bridge_of = dict(_ports(interfaces))
        joined: dict[InterfaceRef, list[InterfaceRef]] = defaultdict(list)
        for one, other in (*bridge_of.items(), *_veth_pairs(interfaces)):
            joined[one].append(other)
            joined[other].append(one)
        self._of: dict[InterfaceRef, Segment] = {}
        for ref in interfaces:
            if ref not in self._of:
                segment = Segment(_reached_from(ref, joined), bridge_of)
                self._of.update(dict.fromkeys(segment.interfaces, segment))

    def __iter__(self) -> Iterator[Segment]:
        return iter(dict.fromkeys(self._of.values()))

    def of(self, ref: InterfaceRef) -> Segment:
        """Return the broadcast domain of an interface; one without interfaces where it carries no frames."""
        return self._of.get(ref, Segment({}, {}))


def _with_frames(topology: Topology) -> Iterator[tuple[InterfaceRef, Interface]]:
    for where, namespace in topology.namespaces.items():
        for name, interface in namespace.interfaces.items():
            if interface.kind not in _NO_FRAMES:
                yield InterfaceRef(where, name), interface


def _ports(interfaces: Mapping[InterfaceRef, Interface]) -> Iterator[tuple[InterfaceRef, InterfaceRef]]:
    """Yield every port of a bridge, and the bridge."""
    for ref, interface in interfaces.items():
        for name in interface.ports if isinstance(interface, Bridge) else ():
            port = InterfaceRef(ref.namespace, name)
            if port in interfaces and not isinstance(interfaces[port], Bridge):
                yield port, ref


def _veth_pairs(interfaces: Mapping[InterfaceRef, Interface]) -> Iterator[tuple[InterfaceRef, InterfaceRef]]:
    """Yield both ends of every veth pair."""
    for ref, interface in interfaces.items():
        if isinstance(interface, Veth) and ref < interface.peer:
            other = interfaces.get(interface.peer)
            if isinstance(other, Veth) and other.peer == ref:
                yield ref, interface.peer


def _reached_from(
    start: InterfaceRef, joined: Mapping[InterfaceRef, list[InterfaceRef]]
) -> dict[InterfaceRef, InterfaceRef]:
    """Return every interface joined to one, the nearest first, with the interface before it on the shortest way."""
    before, ahead = {start: start}, deque([start])
    while ahead:
        here = ahead.popleft()
        for there in joined.get(here, ()):
            if there not in before:
                before[there] = here
                ahead.append(there)
    return before
