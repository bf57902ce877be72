"""A running lab as it is known at a moment: immutable, so that a view may keep one while the next is made."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import field
from typing import TYPE_CHECKING, Literal

from labctl.engine.counters import DROPS_IN, DROPS_OUT
from labctl.frozen import frozen
from labctl.live.meter import Meter
from labctl.live.programs import Program
from labctl.live.readings import Difference, Packet, ProcessState, Verdict
from labctl.plan.engine_spec import EngineSpec
from labctl.plan.notifications import AddressThere, LinkThere
from labctl.plan.routes import Route, Rule
from labctl.topology.interface_ref import InterfaceRef
from labctl.topology.program_ref import ProgramRef

if TYPE_CHECKING:
    from labctl.topology.model import Topology

Phase = Literal["down", "begun", "up", "mixed"]
"""How a lab is; `mixed` where it is over hosts, and not the same on all of them, or one is not reached."""

PACKETS = 400
"""Packets that are remembered."""


@frozen
class Interface:
    """An interface: what it says of itself, its addresses, and its traffic; `rx` is what came into the namespace."""

    link: LinkThere
    addresses: tuple[AddressThere, ...] = ()
    meter: Meter = field(default_factory=Meter)


@frozen
class Space:
    """A namespace; `seen` is false until it was looked at for the first time, `there` is false once it is gone."""

    name: str
    seen: bool = False
    there: bool = True
    links: Mapping[int, Interface] = field(default_factory=dict)
    routes: tuple[Route, ...] = ()
    rules: tuple[Rule, ...] = ()
    failed: frozenset[tuple[int, str]] = frozenset()  # neighbours that do not answer: index of the interface, address

    def name_of(self, index: int) -> str:
        """Return the name of an interface, or what stands for it where it is not known."""
        found = self.links.get(index)
        return found.link.name if found else f"if{index}" if index else ""

    def place(self, index: int) -> str:
        """Return NAMESPACE:INTERFACE."""
        return f"{self.name}:{self.name_of(index)}"

    @property
    def interfaces(self) -> Iterator[Interface]:
        """Yield the interfaces, by index."""
        yield from (self.links[index] for index in sorted(self.links))


@frozen
class Engine:
    """An engine: what it was started as, its process, and what it counts.

    Of its traffic `rx` is what came out of the tunnel, and was written to the TUN device; `tx` what was read from it.
    """

    spec: EngineSpec
    pid: int = 0
    state: ProcessState | None = None  # None until it was looked at
    counters: Mapping[str, int] = field(default_factory=dict)
    meter: Meter = field(default_factory=Meter)

    @property
    def drops(self) -> dict[str, int]:
        """Return how many packets were dropped, by the name of the reason; those that are none are left out."""
        return {name: count for name in (*DROPS_OUT, *DROPS_IN) if (count := self.counters.get(name, 0))}


@frozen
class CheckState:
    """The last verdict of a check, None until it has one, and since when it is this one (seconds since the epoch)."""

    name: str
    verdict: Verdict | None = None
    observed: str = ""
    why: str = ""
    since: float = 0.0


@frozen
class HostState:
    """What a host has of a lab, as it was known last. While `lost` says why the host is not reached, it is not known.

    `told` is false until the host has told something since it was reached.
    """

    host: str
    namespaces: tuple[str, ...]
    share: LabState
    told: bool = False
    lost: str = ""
    within: float = 0.0  # seconds by which its times may be wrong, for its clock is another one


@frozen
class LabState:
    """All that is known of a lab. `drift` is None until the lab was compared with its file.

    `topology` is the one that was applied last, also where the lab is down; None until it was read. Of a lab over
    `hosts` all is put together from these; `complete` is false while its first `up` is at work.
    """

    lab: str
    phase: Phase = "down"
    mode: str = ""
    file: str = ""
    topology: Topology | None = None
    spaces: Mapping[str, Space] = field(default_factory=dict)
    engines: Mapping[InterfaceRef, Engine] = field(default_factory=dict)
    programs: Mapping[ProgramRef, Program] = field(default_factory=dict)
    impairments: Mapping[InterfaceRef, Mapping[str, str]] = field(default_factory=dict)
    drift: tuple[Difference, ...] | None = None
    challenge: float = 0.0  # since when a challenge runs, which hides the drift; 0 where there is none
    checks: Mapping[str, CheckState] = field(default_factory=dict)
    packets: tuple[Packet, ...] = ()  # the newest last
    packets_left_out: int = 0
    matched: Mapping[str, int] = field(default_factory=dict)  # how often what was asked for was seen, by its name
    overruns: int = 0
    at: float = 0.0  # of the newest reading, in seconds since the epoch
    hosts: Mapping[str, HostState] = field(default_factory=dict)
    complete: bool = True

    @property
    def lost(self) -> tuple[HostState, ...]:
        """Return the hosts that are not reached."""
        return tuple(known for known in self.hosts.values() if known.lost)

    @property
    def unknown(self) -> dict[str, str]:
        """Return the namespaces of which nothing is known, and why, in words."""
        return {name: f"{known.host} is not reached" for known in self.lost for name in known.namespaces}

    def interface(self, ref: InterfaceRef) -> Interface | None:
        """Return an interface by its name; None where it is not there."""
        space = self.spaces.get(ref.namespace)
        found = space.interfaces if space else ()
        return next((interface for interface in found if interface.link.name == ref.interface), None)
