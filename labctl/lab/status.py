"""Status: what is there, and what the engines have counted."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import field
from typing import TYPE_CHECKING, Literal

from labctl.errors import MachineError
from labctl.frozen import frozen
from labctl.lab.challenge import Challenge, challenge_in
from labctl.lab.engines.stats import EngineStats
from labctl.lab.journal import Engine, Program, Recorded
from labctl.lab.observed import facts
from labctl.lab.state import State, existing
from labctl.plan.desired import desired
from labctl.plan.facts import Namespace
from labctl.plan.plan import Pending, between
from labctl.plan.recorded import Substitution
from labctl.process.processes import children

if TYPE_CHECKING:
    from labctl.lab.cables.status import CableStatus
    from labctl.topology.model import Topology


@frozen
class EngineStatus:
    """One engine: whether it runs, as which PID, and its counters by name."""

    device: str
    command: str
    running: bool
    pid: int
    counters: dict[str, int]
    offload: tuple[str, ...]  # which of the kernel's offloads are engaged
    stopped: bool = False  # it runs, but for SIGSTOP


@frozen
class ProgramStatus:
    """One program: `ended` says how it ended the last time, if it ever did; a `waiting` one will be started again."""

    program: str
    command: str
    state: Literal["running", "stopped", "waiting", "ended"]
    running: bool
    pid: int  # 0 where it does not run
    restarts: int  # how often it was started again by itself
    ended: str


@frozen
class HostStatus:
    """One host of a lab over several, and whether it was reached; if not, nothing is known of its namespaces.

    One that was reached and says `why` has another lab of the same name.
    """

    host: str
    namespaces: tuple[str, ...]
    reached: bool
    why: str = ""  # what is the matter: what kept this machine from reaching it is in the words of ssh


@frozen
class Status:
    """What is there of a lab. A namespace that is gone is None."""

    lab: str
    mode: str
    file: str  # the topology file that it was made from
    namespaces: dict[str, Namespace | None]
    engines: tuple[EngineStatus, ...]
    substitutions: tuple[Substitution, ...] = field(default=())
    pending: Pending | None = None  # what `up` would do to make it what its file says; None where that is not known
    topology: Topology | None = None  # what its file said when `up` made it; None where `up` was cut off
    programs: tuple[ProgramStatus, ...] = ()
    cables: tuple[CableStatus, ...] = ()  # to other hosts
    challenge: Challenge | None = None  # while one runs there is no `pending`
    hosts: tuple[HostStatus, ...] = ()  # where it is over several
    mark: str = ""  # what tells it from another lab of the same name
    inventory: str = ""  # the file that says on which hosts it is; empty where `file` does

    def __str__(self) -> str:
        """Return a line for each namespace, engine and program, and what differs from the file."""
        runs = [(each.device, each.running) for each in self.engines]
        runs += [(each.program, each.running) for each in self.programs]
        cables = [f"{each.device}: {each}" for each in self.cables]
        spaces = [f"{name}: {_in_short(space) if space else 'is gone'}" for name, space in self.namespaces.items()]
        running = [f"{name}: {'runs' if there else 'does not run'}" for name, there in runs]
        hosts = [
            f"{each.host}: {each.why}" if each.reached else f"{each.host} cannot be reached: {each.why}"
            for each in self.hosts
            if each.why
        ]
        return "\n".join([f"lab {self.lab} ({self.mode})", *spaces, *running, *cables, *hosts, self._differs()])

    def _differs(self) -> str:
        if self.challenge:
            return "a challenge runs: how it differs from its file is not told"
        return "its file cannot be compared" if self.pending is None else f"to do for `up`: {self.pending}"


def _in_short(space: Namespace) -> str:
    """Return the interfaces of a namespace that are up, and their addresses."""
    return ", ".join(" ".join([link.name, *link.addresses]) for link in space.links.values() if link.up)


@frozen
class Summary:
    """One line about a lab; `complete` is false where its `up` was cut off."""

    lab: str
    mode: str
    complete: bool
    namespaces: int
    engines: int
    engines_running: int
    programs: int = 0
    programs_running: int = 0
    hosts: tuple[str, ...] = ()  # where it is over several: of them nothing is known here, nor of what runs there


def status(lab: str) -> Status:
    """Return what is there of a lab. Raise UsageError where there is no such lab."""
    state = existing(lab)
    recorded = state.read()
    topology = state.topology()
    wanted = desired(topology) if topology else None
    found = facts(state, recorded, wanted)
    hidden = challenge_in(state)
    return Status(
        lab,
        recorded.mode,
        recorded.file,
        {name: found.namespaces.get(name) for name in recorded.namespaces},
        tuple(engine_status(engine, state) for engine in recorded.engines.values()),
        tuple(recorded.substitutions.values()),
        between(wanted, found) if wanted and hidden is None else None,
        topology,
        tuple(program_status(program, state) for program in recorded.programs.values()),
        tuple(_cables(recorded, state)),
        hidden,
        mark=recorded.mark,
    )


def _cables(recorded: Recorded, state: State) -> Iterator[CableStatus]:
    if recorded.cables:
        from labctl.lab.cables.ends import cable_status  # which a lab on one machine does without

        yield from (cable_status(cable, state) for cable in recorded.cables.values())


def engine_status(engine: Engine, state: State) -> EngineStatus:
    """Return what can be seen of an engine; of a program its own PID, not that of the process that stays with it."""
    shown = EngineStats.of(engine.spec.device, state)
    running, pid = engine.process.alive(), engine.process.pid
    seen = [*(children(pid) if running else []), pid][0]
    stopped = running and engine.process.stopped()
    return EngineStatus(
        str(engine.spec.device), engine.spec.command, running, seen, shown.counters, shown.offload, stopped
    )


def program_status(program: Program, state: State) -> ProgramStatus:
    """Return what can be seen of a program."""
    from labctl.lab.programs.found import found_program
    from labctl.lab.programs.run_record import RunRecord

    found = found_program(program, state)
    record = RunRecord.of(state.run_record_of(program.spec.ref))
    running = found.state == "running"
    pid = record.pid if running or found.state == "stopped" else 0
    return ProgramStatus(
        str(program.spec.ref), program.spec.command, found.state, running, pid, record.restarts, found.ended
    )


def summary(lab: str, mode: str) -> Summary:
    """Return one line about a lab, which may be unfinished or damaged. Raise UsageError where it has ended."""
    state = existing(lab)
    try:
        recorded = state.read()
    except MachineError:  # `down` says what it is; here the other labs are of interest, too
        recorded = Recorded()
    return Summary(
        lab,
        mode,
        recorded.complete,
        len(recorded.namespaces),
        len(recorded.engines) + len(recorded.cables),
        sum(process.alive() for process in recorded.engine_processes),
        len(recorded.programs),
        sum(program_status(program, state).running for program in recorded.programs.values()),
    )
