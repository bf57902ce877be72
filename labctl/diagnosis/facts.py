"""What was measured of one failed check, as plain data: the input of every question.

`gather` fills it; nothing here asks anything. The counters of `moved`, of engines and of links are what was counted
while the check ran.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from dataclasses import field
from functools import cached_property

from labctl.diagnosis.path import Asked, Kind, Stage
from labctl.diagnosis.verdict import Witness
from labctl.engine.counters import DROPS_IN, DROPS_OUT
from labctl.frozen import frozen
from labctl.kernel.addresses import Address
from labctl.kernel.conntrack import Connection
from labctl.kernel.lookup import NoWay, Way
from labctl.kernel.nftables.ruleset import Chain
from labctl.kernel.nftables.trace import Event
from labctl.kernel.packet_taps import PacketType
from labctl.kernel.programs import Program
from labctl.kernel.sock_diag import Socket
from labctl.kernel.traffic_control import TrafficControl
from labctl.kernel.xfrm import Policy
from labctl.plan.change import Change
from labctl.plan.facts import Link, Neighbour
from labctl.plan.firewall import Applied
from labctl.plan.routes import Route, Rule
from labctl.topology.interface_ref import InterfaceRef
from labctl.topology.model import Topology
from labctl.trace.sightings import Journey, Sighting


@frozen
class Space:
    """One namespace, as it was found once the check had failed.

    It is `gone` where it is not there; `remade` where there is another one of its name, which labctl did not make.
    """

    gone: bool = False
    remade: bool = False
    links: Mapping[str, Link] = field(default_factory=dict)
    addresses: Mapping[str, Sequence[Address]] = field(default_factory=dict)
    neighbours: Mapping[str, Sequence[Neighbour]] = field(default_factory=dict)
    routes: Sequence[Route] = ()
    rules: Mapping[int, Sequence[Rule]] = field(default_factory=dict)  # by IP version
    settings: Mapping[str, str] = field(default_factory=dict)  # by path below /proc/sys
    sockets: Sequence[Socket] = ()
    owners: Mapping[int, Sequence[Program]] = field(default_factory=dict)  # of the sockets, by inode
    readers: Mapping[str, Sequence[Program]] = field(default_factory=dict)  # of TUN and TAP devices
    chains: Sequence[Chain] = ()
    firewall: Applied | None = None  # what labctl has made of nftables, as the file asks for
    connections: Sequence[Connection] = ()
    control: Mapping[str, TrafficControl] = field(default_factory=dict)  # by interface
    policies: Sequence[Policy] = ()  # of IPsec
    moved: Mapping[str, int] = field(default_factory=dict)  # SNMP counters, by their names in nstat(8)
    dropped: Mapping[str, int] = field(default_factory=dict)  # packets that an interface did not take in, by its name
    unsent: Mapping[str, int] = field(default_factory=dict)  # packets that an interface did not send, by its name


@frozen
class Engine:
    """An engine of the lab: its process as recorded, the endpoint that it was started for, what it counted."""

    device: InterfaceRef
    pid: int
    alive: bool
    stopped: bool
    bind: str
    peer: str
    program: str = ""  # the command of a program of the user's; empty for the built-in engine
    impaired: Mapping[str, str] = field(default_factory=dict)  # by direction, where it is
    counted: Mapping[str, int] = field(default_factory=dict)


@frozen
class CableEnd:
    """An end of a cable between hosts: its engine, and what that measures all the time of the way to the other end."""

    device: InterfaceRef
    alive: bool
    stopped: bool
    state: str  # of labctl.engine.cable.line.State, in lower case; empty where it is not known
    port: int  # of the UDP socket that it has on its host
    words: str  # how it is
    instead: str = ""  # what comes while nothing of the other end does, in words
    changed: bool = False  # whether what comes then is of its address and port, and not sealed with the key
    refused: int = 0  # why the kernel does not send: an errno, 0 where it does
    counted: Mapping[str, int] = field(default_factory=dict)


@frozen
class File:
    """The topology file of the lab: as a person types it for `up`, its path, and where its parts stand, if known.

    A lab that a program has made of a topology has no file: both are empty.
    """

    name: str
    path: str = ""
    located: Callable[[], Mapping[tuple[str | int, ...], int]] = dict

    @cached_property
    def lines(self) -> Mapping[tuple[str | int, ...], int]:
        """The line of each part, by its path; found out once it is asked for."""
        return self.located()

    def at(self, *path: str | int) -> str:
        """Return FILE:LINE of a part of the file, or of what is around it; the file where its lines are not known."""
        while path and path not in self.lines:
            path = path[:-1]
        return f"{self.path}:{self.lines[path]}" if path in self.lines else self.path or self.name or "in its topology"


@frozen
class Case:
    """One failed check: its way by the file, and what was measured along it."""

    topology: Topology
    file: File
    asked: Asked
    stages: Sequence[Stage]
    spaces: Mapping[str, Space]
    engines: Mapping[InterfaceRef, Engine] = field(default_factory=dict)
    ways: Mapping[Stage, Way | NoWay] = field(default_factory=dict)  # of SEND, FORWARD and DELIVER
    returns: Mapping[Stage, Way | NoWay] = field(default_factory=dict)  # of DELIVER and FORWARD: to the packet's source
    journeys: Sequence[Journey] = ()  # of all packets that were seen while the check ran
    probes: Sequence[Journey] = ()  # of the probe's own
    answers: Sequence[Journey] = ()  # of those that answer them
    traced: Mapping[str, Sequence[Event]] = field(default_factory=dict)  # by namespace, of the probe sent once more
    followed: Set[str] = frozenset()  # namespaces that translate by a ruleset of the file, which the stages follow
    changes: Sequence[Change] = ()  # what `up` would do
    outcome: str = ""  # results.State
    observed: str = ""  # what the probe saw, in words
    miscounted: Sequence[Witness] = ()  # what was counted otherwise than expected
    cables: Mapping[InterfaceRef, CableEnd] = field(default_factory=dict)  # between hosts

    def space(self, namespace: str) -> Space:
        """Return what was found of a namespace."""
        return self.spaces.get(namespace, Space(gone=True))

    def link(self, ref: InterfaceRef) -> Link | None:
        """Return an interface, None where it is not there."""
        return self.space(ref.namespace).links.get(ref.interface)

    def passed(self, number: int) -> bool:
        """Return whether a packet was seen at the end of a stage; of an engine, whether it may have passed all.

        An engine that has passed those of others may have lost this one to a queue that was full.
        """
        stage = self.stages[number]
        space = self.space(stage.namespace)
        if stage.kind is Kind.READ:
            lost = self.lost_in(stage.ref, DROPS_OUT) or space.unsent.get(stage.ref.interface)
            return self.counted(stage.ref, "udp_sent_packets") > 0 and not lost
        if stage.kind is Kind.DELIVER:
            device = self.engine_behind(number)
            received, strange = (self.counted(device, name) for name in ("udp_received_packets", "in_not_from_peer"))
            full = "UdpRcvbufErrors" in space.moved and not self.lost_in(device, DROPS_IN)
            return received > strange and not full
        return any(True for _ in self.seen_at(number))

    def engine_behind(self, number: int) -> InterfaceRef | None:
        """Return the TUN device whose engine a stage delivers a datagram to, None where it delivers another packet."""
        following = self.stages[number + 1] if number + 1 < len(self.stages) else None
        return following.ref if following and following.kind is Kind.WRITE else None

    def counted(self, device: InterfaceRef | None, name: str) -> int:
        """Return how much an engine counted while the check ran; 0 for a program."""
        engine = self.engines.get(device) if device else None
        return engine.counted.get(name, 0) if engine else 0

    def lost_in(self, device: InterfaceRef | None, names: Sequence[str]) -> int:
        """Return how many packets an engine dropped while the check ran, by some of its reasons."""
        return sum(self.counted(device, name) for name in names)

    def seen_at(self, number: int) -> Iterator[Sighting]:
        """Yield the sightings of a stage's packets at its end."""
        stage = self.stages[number]
        for journey in self.answers if stage.back else self.probes:
            yield from (each for each in journey.sightings if self.is_at(each, stage))

    def all_seen_at(self, number: int) -> bool:
        """Return whether each of a stage's packets was seen at its end."""
        stage = self.stages[number]
        packets = self.answers if stage.back else self.probes
        return bool(packets) and all(any(self.is_at(each, stage) for each in one.sightings) for one in packets)

    def is_at(self, sighting: Sighting, stage: Stage) -> bool:
        """Return whether a sighting is at the end of a stage, in as many tunnels, and in a frame that is taken in.

        Of a packet in fragments the first stands for it.
        """
        station = sighting.station
        if not stage.is_on_the_wire or (station.ref, station.outgoing) != (stage.ref, stage.outgoing):
            return False
        link = self.link(stage.ref)
        strange = sighting.kind is PacketType.OTHERHOST and not (link and link.master)
        if strange or len(sighting.layers) != stage.depth + 1 or sighting.layers[0].fragment_at:
            return False
        return sighting.layers[0].destination in (str(stage.flow.to), *self._translated_sources(stage))

    def _translated_sources(self, stage: Stage) -> Iterator[str]:
        """Yield where answers go at a stage if NAT has hidden the sender before: the sources of the probe there."""
        for each in (each for probe in self.probes for each in probe.sightings) if stage.back else ():
            if each.station.ref == stage.ref and len(each.layers) == stage.depth + 1:
                yield each.layers[0].source

    def counts(self, namespace: str, *names: str) -> Iterator[Witness]:
        """Yield those of some SNMP counters of a namespace that have moved while the check ran."""
        moved = self.space(namespace).moved
        yield from (Witness(namespace, name, f"+{moved[name]}") for name in names if name in moved)

    def owners_of(self, address: str) -> Iterator[tuple[InterfaceRef, Address]]:
        """Yield the interfaces of the lab that have an address."""
        for name, space in self.spaces.items():
            for interface, addresses in space.addresses.items():
                for each in addresses:
                    if each.host == address:
                        yield InterfaceRef(name, interface), each
