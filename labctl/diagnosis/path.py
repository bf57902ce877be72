"""The way of a probe's packets as the file says it: one stage after another, there and back, through tunnels, too.

A stage is a part of the way at whose end a packet can be seen, on an interface or by an engine:

    SEND     a namespace makes a packet, and it leaves by an interface
    CROSS    a cable carries it to the interface at its other end
    SWITCH   a bridge passes it from one of its ports to another, or to its own interface
    FORWARD  a namespace passes on what is for another one
    DELIVER  a namespace takes in what is for it
    READ     the engine of a TUN device takes the packet out of it and sends it as a datagram
    WRITE    the engine of the peer takes the packet out of the datagram and writes it to its TUN device

Between READ and WRITE are the stages of the datagram, one level deeper, by the addresses of the endpoints.

Where the file translates addresses, packets go on with others, and so do the answers to them (translations.py).

Where the file shows no way but says what it means (`crosses`, the namespace of a server), the stages follow what it
means: what the file lacks is then found at the stage that lacks it. Where it means nothing either, as for an address
that no namespace has, the last stage is a FORWARD by no interface, in the namespace that the packet comes to at last.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from copy import copy
from dataclasses import replace
from enum import StrEnum

from labctl.diagnosis.taken import Taken
from labctl.diagnosis.translations import NONE, Followed, Translations
from labctl.frozen import frozen
from labctl.kernel.flow import Flow
from labctl.topology.interface_ref import InterfaceRef
from labctl.topology.model import Dummy, Topology, TunnelEndpoint, Veth
from labctl.topology.routed import Network
from labctl.topology.routing import LOOPBACK
from labctl.topology.values import Host, Prefix
from labctl.topology.ways import forwards

MOST_STAGES = 400
"""A way that is longer goes round in a loop."""

_Walk = Generator["Stage", None, str | None]
"""Yields the stages of one packet, and returns the namespace that takes it in; None where it is not taken in."""


class Kind(StrEnum):
    """What happens to a packet at a stage."""

    SEND = "send"
    CROSS = "cross"
    SWITCH = "switch"
    FORWARD = "forward"
    DELIVER = "deliver"
    READ = "read"
    WRITE = "write"


@frozen
class Asked:
    """What a probe asks: from where to where, with which packets, and what is meant to come of it."""

    sender: str
    to: Host
    protocol: str = "icmp"  # icmp, ipv6-icmp, tcp or udp
    port: int = 0
    size: int = 56  # bytes behind the transport header
    receiver: str = ""  # the namespace that is meant to take it in; empty where none is
    answered: bool = True  # whether an answer is expected
    own_server: bool = True  # whether the check itself listens
    crosses: tuple[InterfaceRef, ...] = ()
    measured: tuple[str, ...] = ()  # loss, rtt, throughput: by so many packets that they are not looked at one by one


@frozen
class Stage:
    """A part of the way. `leaves` and `arrives` are interfaces of `namespace`; empty where there is none."""

    kind: Kind
    namespace: str
    flow: Flow
    arrives: str = ""
    leaves: str = ""
    via: Host | None = None
    depth: int = 0  # of tunnels around the packet
    back: bool = False
    before: InterfaceRef | None = None  # of CROSS and SWITCH: the interface that it comes from
    meets: InterfaceRef | None = None  # of SEND and FORWARD: the interface that has the next hop
    sent: Flow | None = None  # of SEND and FORWARD: the flow as it leaves, where the file translates it
    by_file: bool = True  # whether the file's own addresses, routes and settings have it so, or only what it means
    is_open: bool = False  # of SEND and FORWARD: whether the file has several next hops, and any may be taken

    @property
    def place(self) -> str:
        """The interface at its end, or the namespace."""
        interface = self.leaves or self.arrives
        return f"{self.namespace}:{interface}" if interface else self.namespace

    @property
    def ref(self) -> InterfaceRef:
        """The interface at its end."""
        return InterfaceRef(self.namespace, self.leaves or self.arrives)

    @property
    def outgoing(self) -> bool:
        """Whether the packet leaves through that interface, and does not enter by it."""
        return bool(self.leaves)

    @property
    def leads_nowhere(self) -> bool:
        """Whether the file knows no way for a packet that has come here."""
        return self.kind in (Kind.SEND, Kind.FORWARD) and not self.leaves

    @property
    def is_on_the_wire(self) -> bool:
        """Whether a tap can see a packet at its end."""
        return self.kind not in (Kind.READ, Kind.DELIVER) and not self.leads_nowhere


class Paths:
    """The ways of a topology, stage by stage."""

    def __init__(self, topology: Topology) -> None:
        network = Network(topology)
        self._spaces = topology.namespaces
        self._fibs, self._segments, self._ways = network.fibs, network.segments, network.ways
        self.endpoints = self._ways.endpoints
        self._taken = Taken()

    def taking(self, taken: Taken) -> Paths:
        """Return the same ways, by those of several next hops that packets take."""
        others = copy(self)
        others._taken = taken
        return others

    def stages(self, asked: Asked, followed: Followed = NONE) -> tuple[Stage, ...]:
        """Return all stages of a probe: those of its packets, and those of the answer where one is expected.

        `followed` are connections that rulesets of the file translate.
        """
        bound = Flow(asked.to, None, asked.protocol, 0, asked.port)
        nat = Translations(followed)
        walk = self._walk(asked.sender, bound, asked.receiver, list(asked.crosses), 0, False, nat)
        there, end = self._gathered(walk)
        flow = there[-1].flow if there else bound
        if asked.answered and end is None:
            there += self._not_passed_on(there)
        if not (asked.answered and end and flow.source):
            return tuple(there)
        back = list(reversed(asked.crosses))
        return (*there, *self._gathered(self._walk(end, flow.answer, asked.sender, back, 0, True, nat))[0])

    @staticmethod
    def _not_passed_on(way: list[Stage]) -> Iterator[Stage]:
        """Yield the stage at which a way ends by the file: what comes in there is neither taken in nor passed on."""
        last = way[-1] if 0 < len(way) < MOST_STAGES else None
        if last and last.arrives and last.kind in (Kind.CROSS, Kind.SWITCH, Kind.WRITE):
            yield Stage(Kind.FORWARD, last.namespace, last.flow, last.arrives, depth=last.depth, by_file=False)

    def owners(self, sender: str, address: Host) -> set[str]:
        """Return the namespaces that take in what is sent to an address, or those that have it if no way leads."""
        reached = self._ways.ends(sender, address)
        return reached or {name for name, fib in self._fibs.items() if fib.owner_of(address) is not None}

    def namespaces(self, asked: Asked) -> list[str]:
        """Return the namespaces that a probe comes through, or would, with those around the end of its way.

        They are all where a route of the way has several next hops.
        """
        stages = self.stages(asked)
        if any(stage.is_open for stage in stages):
            return list(self._spaces)
        found = dict.fromkeys((asked.sender, *(stage.namespace for stage in stages)))
        found |= dict.fromkeys(ref.namespace for ref in asked.crosses)
        if asked.receiver:
            found[asked.receiver] = None
        if stages:
            found |= dict.fromkeys(sorted(self._segments.of(stages[-1].ref).namespaces))
        return list(found)

    @staticmethod
    def _gathered(walk: _Walk) -> tuple[list[Stage], str | None]:
        found: list[Stage] = []
        while len(found) < MOST_STAGES:
            try:
                found.append(next(walk))
            except StopIteration as done:
                return found, done.value
        return found, None

    def _walk(
        self,
        start: str,
        flow: Flow,
        receiver: str,
        crosses: list[InterfaceRef],
        depth: int,
        back: bool,
        nat: Translations,
    ) -> _Walk:
        here, arrives, position = start, "", 0
        left: set[InterfaceRef] = set()
        while True:
            if InterfaceRef(here, arrives) in left:  # it has come back to where it went away
                yield Stage(Kind.FORWARD, here, flow, arrives, depth=depth, back=back, by_file=False)
                return None
            if arrives and (came := nat.coming_in(depth, here, flow)) != flow:
                flow, receiver = came, ""
            ways = self._fibs[here].ways(flow.to, flow.source, arrives or LOOPBACK)
            decision = self._taken.of(here, ways)
            meant = crosses[position] if position < len(crosses) and crosses[position].namespace == here else None
            if decision and decision.local and meant is None:
                if not arrives:
                    flow = flow if flow.source else replace(flow, source=flow.to)
                    yield Stage(Kind.SEND, here, flow, leaves=LOOPBACK, depth=depth, back=back)
                    lo = InterfaceRef(here, LOOPBACK)
                    yield Stage(Kind.CROSS, here, flow, arrives=LOOPBACK, depth=depth, back=back, before=lo)
                    arrives = LOOPBACK
                yield Stage(Kind.DELIVER, here, flow, arrives=arrives, depth=depth, back=back)
                return here
            if arrives and meant is None and receiver == here:
                yield Stage(Kind.DELIVER, here, flow, arrives=arrives, depth=depth, back=back, by_file=False)
                return here
            passes_on = not arrives or forwards(self._spaces[here], arrives, flow.to.version)
            if arrives and meant is None and (decision is None or not passes_on) and not receiver:
                return None  # by the file, no namespace takes it in
            leaves = meant.interface if meant else decision.interface if decision else ""
            by_file = decision is not None and not decision.local and passes_on and decision.interface == leaves
            leaving = InterfaceRef(here, leaves)
            via = decision.via if decision and decision.interface == leaves else None
            if flow.source is None and leaves:
                chosen = decision.source if decision and decision.interface == leaves else None
                flow = replace(flow, source=chosen or self._source(leaving, via or flow.to, flow.to.version))
            left.add(leaving)
            position += meant is not None
            endpoint = self.endpoints.get(leaving)
            meets = None if endpoint or not leaves else self._ways.neighbour(leaving, via or flow.to)
            kind = Kind.FORWARD if arrives else Kind.SEND
            sent = nat.leaving(depth, here, flow, self._masqueraded(leaving, via or flow.to, flow.to.version))
            is_open = len(ways) > 1
            yield Stage(kind, here, flow, arrives, leaves, via, depth, back, None, meets, sent, by_file, is_open)
            flow = sent or flow
            following = crosses[position] if position < len(crosses) else None
            position += following is not None
            if endpoint:
                comes_out = yield from self._through(endpoint, following, flow, depth, back, nat)
            else:
                comes_out = yield from self._over(leaving, meets or following, flow, depth, back)
            if comes_out is None:
                return None
            here, arrives = comes_out

    def _through(
        self,
        endpoint: TunnelEndpoint,
        meant: InterfaceRef | None,
        flow: Flow,
        depth: int,
        back: bool,
        nat: Translations,
    ) -> Generator[Stage, None, InterfaceRef | None]:
        """Yield the stages between a TUN device and that of the peer, and return the latter."""
        device = endpoint.device
        far = meant or self._ways.far_end(device) or self._only_partner(endpoint)
        source = None if endpoint.bind.host.is_unspecified else endpoint.bind.host
        datagram = Flow(endpoint.peer.host, source, "udp", endpoint.bind.port, endpoint.peer.port)
        yield Stage(Kind.READ, device.namespace, flow, leaves=device.interface, depth=depth, back=back)
        receiver = far.namespace if far else ""
        end = yield from self._walk(device.namespace, datagram, receiver, [], depth + 1, back, nat)
        if end is None or far is None or end != far.namespace:
            return None
        yield Stage(Kind.WRITE, far.namespace, flow, arrives=far.interface, depth=depth, back=back, before=device)
        return far

    def _only_partner(self, endpoint: TunnelEndpoint) -> InterfaceRef | None:
        """Return the one other TUN device whose endpoint has an address of this one's; None where several have."""
        one = (endpoint.bind.host, endpoint.peer.host)
        partners = [
            device
            for device, other in self.endpoints.items()
            if device != endpoint.device and (other.peer.host in one or other.bind.host in one)
        ]
        return partners[0] if len(partners) == 1 else None

    def _over(
        self, leaving: InterfaceRef, meets: InterfaceRef | None, flow: Flow, depth: int, back: bool
    ) -> Generator[Stage, None, InterfaceRef | None]:
        """Yield the stages of a frame to the interface that has its next hop, and return that."""
        interface = self._spaces[leaving.namespace].interfaces.get(leaving.interface)
        if meets is None and isinstance(interface, Veth):
            meets = interface.peer
        segment = self._segments.of(leaving)
        if meets is None or meets not in segment or isinstance(interface, Dummy):
            return None
        way = [*segment.way(leaving, meets)]
        if way[-1] != meets:
            way.append(meets)
        before = way[0]
        for step in way[1:]:
            yield self._step(before, step, flow, depth, back)
            before = step
        return meets

    def on_link(self, leaving: InterfaceRef, several: Iterable[InterfaceRef]) -> InterfaceRef | None:
        """Return the first of several interfaces that hears what leaves by one; None where none does."""
        segment = self._segments.of(leaving)
        return next((ref for ref in several if ref in segment and ref.namespace != leaving.namespace), None)

    def over(self, sent: Stage) -> Generator[Stage, None, InterfaceRef | None]:
        """Yield the stages of a frame that was sent to the interface that it meets, or to the end of the cable."""
        return (yield from self._over(sent.ref, sent.meets, sent.flow, sent.depth, sent.back))

    def _step(self, before: InterfaceRef, step: InterfaceRef, flow: Flow, depth: int, back: bool) -> Stage:
        interface = self._spaces[before.namespace].interfaces.get(before.interface)
        if isinstance(interface, Veth) and interface.peer == step:
            return Stage(Kind.CROSS, step.namespace, flow, step.interface, depth=depth, back=back, before=before)
        takes_in = self._segments.of(step).takes_in(before) == step
        arrives, leaves = (step.interface, "") if takes_in else ("", step.interface)
        return Stage(Kind.SWITCH, step.namespace, flow, arrives, leaves, depth=depth, back=back, before=before)

    def _masqueraded(self, leaving: InterfaceRef, next_hop: Host, version: int) -> Host | None:
        """Return the source that packets leave with where that is masqueraded by the file; None where it is not."""
        masquerades = leaving.interface in self._spaces[leaving.namespace].masquerade
        return self._source(leaving, next_hop, version) if masquerades else None

    def _source(self, leaving: InterfaceRef, next_hop: Host, version: int) -> Host | None:
        """Return the source address that the kernel chooses (net/ipv4/devinet.c: inet_select_addr)."""
        found = list(self._addresses(leaving, version))
        near = (own.ip for own in found if next_hop in own.network)
        return next(iter((*near, *(own.ip for own in found))), None)

    def _addresses(self, leaving: InterfaceRef, version: int) -> Iterator[Prefix]:
        """Yield the addresses of a version that a packet may be sent from: of its interface, then of the others."""
        interfaces = self._spaces[leaving.namespace].interfaces
        names = sorted(interfaces, key=lambda name: name != leaving.interface)
        for name in names:
            for own in interfaces[name].addresses:
                if own.version == version:
                    yield own
