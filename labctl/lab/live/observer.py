"""Who looks at a lab all the time: what the kernel tells of its namespaces, its engines, counters, and its record.

It runs where the lab lives, and goes on while there is no lab: it then waits for one. What the kernel tells by itself
is read at once: notifications, and the end of a process (pidfd_open(2)). The rest is asked for: whether the record has
changed and whether impairments have, every TICK; counters every SAMPLE, which costs a request a namespace and nothing
to the engines, whose counters are in memory.
"""

from __future__ import annotations

import os
import select
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from labctl.engine.counters import Counters
from labctl.errors import LabError, UsageError, kernel_errors_as
from labctl.kernel import namespaces
from labctl.kernel.monitor import Monitor
from labctl.kernel.namespaces import NamespaceId
from labctl.lab.engines.running import impairments
from labctl.lab.journal import Engine, Recorded
from labctl.lab.live import record
from labctl.lab.live.program_watcher import ProgramWatcher
from labctl.lab.state import State
from labctl.live import readings
from labctl.live.readings import ProcessState, Reading
from labctl.plan.engine_spec import NO_IMPAIRMENT
from labctl.process.descriptors import many_descriptors
from labctl.process.line import Line
from labctl.topology.interface_ref import InterfaceRef

TICK = 0.2
"""Seconds between two looks at what is not told."""

SAMPLE = 1.0
"""Seconds between two samples of all counters."""

SHARE = 200
"""A look at all processes takes at most one part in so many of the time."""


def observe(lab: str, line: Line) -> None:
    """Send what is seen of a lab, in lists of stamped readings, until this process is ended. Raise Hangup."""
    with many_descriptors(), kernel_errors_as(f"lab {lab} cannot be followed any more"):
        observer = _Observer(State(lab))
        while True:
            found = [(time.time(), reading) for reading in observer.readings()]
            if found:
                line.send(found)
            observer.wait()


@dataclass
class _Watched:
    """An engine that is followed: its process by a descriptor where there is one left, and its counters."""

    engine: Engine
    pidfd: int | None
    state: ProcessState | None = None
    counters: Counters | None = None
    changes: int = -1  # how often its impairments had been changed when they were asked for; never yet

    def close(self) -> None:
        if self.pidfd is not None:
            os.close(self.pidfd)
        if self.counters is not None:
            self.counters.close()


@dataclass
class _Observer:
    state: State
    record: tuple[int, ...] | None = None  # its stamp when it was read; None while nothing is known
    namespaces: Mapping[str, NamespaceId] = field(default_factory=dict)  # by the record
    monitors: dict[str, tuple[NamespaceId, Monitor]] = field(default_factory=dict)
    engines: dict[InterfaceRef, _Watched] = field(default_factory=dict)
    programs: ProgramWatcher = field(init=False)
    epoll: select.epoll = field(default_factory=select.epoll)
    ready: frozenset[int] = frozenset()  # the descriptors that have something to read
    next_sample: float = 0.0
    next_processes: float = 0.0

    def __post_init__(self) -> None:
        self.programs = ProgramWatcher(self.state)

    def wait(self) -> None:
        """Wait until there is something to read, or it is time to look."""
        self.ready = frozenset(fd for fd, _ in self.epoll.poll(TICK))

    def readings(self) -> Iterator[Reading]:
        """Yield what is new."""
        yield from self._record()
        for name, (_, monitor) in self.monitors.items():
            if monitor.fileno() in self.ready:
                yield from (readings.Told(name, notification) for notification in monitor.read())
        now = time.monotonic()
        if now >= self.next_processes or any(one.pidfd in self.ready for one in self.engines.values()):
            yield from self._processes()
            self.next_processes = time.monotonic() + max(SAMPLE, SHARE * (time.monotonic() - now))
        yield from self._impaired()
        yield from self.programs.readings()
        if now >= self.next_sample:
            self.next_sample = now + SAMPLE
            yield from self._forget_namespaces()
            yield self._counted()

    def _record(self) -> Iterator[Reading]:
        """Yield what is recorded, and what is there of it, where the record is not the one that was read."""
        found = record.stamp(self.state)
        if found == self.record:
            yield from self._follow_namespaces()
            return
        if found == record.NONE:
            self._forget_all()
            self.record = found
            yield readings.NotThere()
            return
        with suppress(LabError):  # it is just being removed, or damaged: `status` says so
            recorded = self.state.read()
            self.record, self.namespaces = found, recorded.namespaces
            yield _as_reading(recorded)
            yield from self._forget_namespaces()
            yield from self._follow_namespaces()
            self._follow_engines(recorded)
            self.programs.follow(recorded.programs)
            yield from self._processes()

    def _forget_all(self) -> None:
        for _, monitor in self.monitors.values():
            monitor.close()
        for watched in self.engines.values():
            watched.close()
        self.monitors.clear()
        self.engines.clear()
        self.programs.follow({})

    def _forget_namespaces(self) -> Iterator[Reading]:
        """Follow no more what is recorded no more, or has lost its name. Yield which these are."""
        for name, (known, monitor) in list(self.monitors.items()):
            if self.namespaces.get(name) != known or not _has_name(name, known):
                monitor.close()
                del self.monitors[name]
                yield readings.NamespaceGone(name)

    def _follow_namespaces(self) -> Iterator[Reading]:
        """Follow what is recorded and has its name, which comes a moment later. Yield what is there."""
        for name, known in self.namespaces.items():
            if name not in self.monitors and _has_name(name, known):
                with suppress(UsageError):  # it has just gone
                    if namespaces.is_ours(name, known):
                        monitor = Monitor(name)
                        self.monitors[name] = known, monitor
                        self.epoll.register(monitor, select.EPOLLIN)
                        yield readings.Told(name, monitor.look())

    def _follow_engines(self, recorded: Recorded) -> None:
        for device, watched in list(self.engines.items()):
            engine = recorded.engines.get(device)
            if engine is None or engine.process != watched.engine.process:
                self.engines.pop(device).close()
        for device, engine in recorded.engines.items():
            if device not in self.engines:
                pidfd = _pidfd(engine)
                self.engines[device] = _Watched(engine, pidfd)
                if pidfd is not None:
                    self.epoll.register(pidfd, select.EPOLLIN)

    def _processes(self) -> Iterator[Reading]:
        for device, watched in self.engines.items():
            process = watched.engine.process
            now: ProcessState = "ended" if not process.alive() else "stopped" if process.stopped() else "running"
            if now == "ended" and watched.pidfd is not None:
                os.close(watched.pidfd)  # it would be readable for ever
                watched.pidfd = None
            if now != watched.state:
                watched.state = now
                yield readings.Process(device, process.pid, now)

    def _impaired(self) -> Iterator[Reading]:
        for device, watched in self.engines.items():
            if watched.counters is None:
                watched.counters = _counters(self.state.counters_of(device))
            if watched.counters is not None and watched.counters.changes != watched.changes:
                watched.changes = watched.counters.changes
                in_force = impairments(watched.engine.spec, self.state)
                changed: dict[str, str] = {way: str(what) for way, what in in_force.items() if what != NO_IMPAIRMENT}
                yield readings.Impaired(device, changed)

    def _counted(self) -> Reading:
        links = {name: monitor.counters() for name, (_, monitor) in self.monitors.items()}
        engines = {ref: one.counters.snapshot() for ref, one in self.engines.items() if one.counters is not None}
        return readings.Counted(links, engines)


def _has_name(name: str, known: NamespaceId) -> bool:
    """Return whether a namespace is under its name, by its number alone: that is asked for all the time."""
    try:
        found = os.stat(namespaces.path_of(name))
    except OSError:
        return False
    return (found.st_dev, found.st_ino) == known[:2]


def _as_reading(recorded: Recorded) -> Reading:
    engines = {device: engine.spec for device, engine in recorded.engines.items()}
    programs = {ref: program.spec.command for ref, program in recorded.programs.items()}
    names = tuple(recorded.namespaces)
    return readings.Recorded(recorded.mode, recorded.file, recorded.complete, names, engines, programs, recorded.mark)


def _pidfd(engine: Engine) -> int | None:
    """Return a descriptor that is readable once an engine has ended; None where it has, or none is left."""
    try:
        pidfd = os.pidfd_open(engine.process.pid)
    except OSError:
        return None
    if engine.process.alive():
        return pidfd
    os.close(pidfd)
    return None


def _counters(path: Path) -> Counters | None:
    """Return the counters of an engine; None where there are none, or not yet."""
    try:
        return Counters.open(path)
    except (OSError, ValueError):
        return None
