"""What comes in: each reading is something that was seen of a lab at one moment, by who looks at it (lab.observer)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import TYPE_CHECKING, Literal

from labctl.frozen import frozen
from labctl.plan.engine_spec import EngineSpec
from labctl.plan.facts import LinkCounters
from labctl.plan.notifications import Notification
from labctl.topology.interface_ref import InterfaceRef
from labctl.topology.program_ref import ProgramRef

if TYPE_CHECKING:
    from labctl.topology.model import Topology

ProcessState = Literal["running", "stopped", "ended"]
ProgramState = Literal["running", "stopped", "waiting", "ended"]
Verdict = Literal["passed", "failed", "not-asked"]


@frozen
class Recorded:
    """What is recorded of the lab; `complete` is false while its `up` is at work for the first time."""

    mode: str
    file: str
    complete: bool
    namespaces: tuple[str, ...]
    engines: Mapping[InterfaceRef, EngineSpec]
    programs: Mapping[ProgramRef, str] = field(default_factory=dict)  # the command of each
    mark: str = ""  # what tells it from another lab of the same name


@frozen
class Written:
    """The topology as it was applied."""

    topology: Topology


@frozen
class Spread:
    """The lab is over these hosts, each with its namespaces; `complete` is false while its first `up` is at work."""

    hosts: Mapping[str, tuple[str, ...]]
    file: str
    complete: bool


@frozen
class OnHost:
    """A reading of what a host has of the lab.

    Its times are those of the clock here; they may be wrong by `within` seconds: that is how well the clocks are known.
    """

    host: str
    reading: Reading
    within: float = 0.0


@frozen
class HostLost:
    """A host is not reached any more, or not yet: what is on it is not known. `why` is a line."""

    host: str
    why: str


@frozen
class NotThere:
    """There is no such lab now: it was taken down, or is not made yet."""


@frozen
class Told:
    """The kernel told something of a namespace, or what is there was asked for."""

    namespace: str
    notification: Notification


@frozen
class NamespaceGone:
    """A namespace of the lab has lost its name, or another one has it now."""

    namespace: str


@frozen
class Process:
    """The process that was started for an engine, and whether it runs."""

    device: InterfaceRef
    pid: int
    state: ProcessState


@frozen
class ProgramSeen:
    """A program of a namespace: whether it runs or will be started again, and how it ended the last time, if it did."""

    ref: ProgramRef
    state: ProgramState
    pid: int
    restarts: int
    ended: str


@frozen
class Counted:
    """Counters of interfaces, by namespace and index, and of engines, by device and name; all of one moment."""

    links: Mapping[str, Mapping[int, LinkCounters]]
    engines: Mapping[InterfaceRef, Mapping[str, int]]


@frozen
class Impaired:
    """What packets suffer in an engine, or on a cable, by direction in the words of tc netem; without any, nothing."""

    device: InterfaceRef
    in_force: Mapping[str, str]


@frozen
class Difference:
    """How the lab differs from its file: what `up` would do, why, and as a command of a person."""

    subject: str
    change: str
    reason: str
    command: str


@frozen
class Compared:
    """All differences from the file; while a challenge runs, since `challenge` in seconds since the epoch, none."""

    drift: tuple[Difference, ...]
    challenge: float = 0.0


@frozen
class Checked:
    """The verdict of a check, with what was observed, and why it failed where that is known."""

    name: str
    verdict: Verdict
    observed: str
    why: str = ""


@frozen
class Listed:
    """The checks of the lab, which are asked from now on; others have no verdict any more."""

    checks: tuple[str, ...]


@frozen
class Packet:
    """A packet at an interface: when the kernel saw it, in seconds since the epoch, and its bytes, as far as kept."""

    at: float
    place: InterfaceRef
    outgoing: bool
    ethernet: bool  # whether the frame begins with an Ethernet header, and not with an IP header
    length: int  # in bytes, of the whole frame
    frame: bytes


@frozen
class Packets:
    """A sample of the packets that crossed since the last one, and how many more there were."""

    seen: tuple[Packet, ...]
    left_out: int


@frozen
class Matched:
    """How often that has been seen which was asked for, by its name: packets, or commands."""

    counts: Mapping[str, int]


Reading = (
    Recorded
    | Spread
    | OnHost
    | HostLost
    | Written
    | NotThere
    | Told
    | NamespaceGone
    | Process
    | ProgramSeen
    | Counted
    | Impaired
    | Compared
    | Listed
    | Checked
    | Packets
    | Matched
)

Stamped = tuple[float, Reading]
"""A reading, and when it was made in seconds since the epoch."""
