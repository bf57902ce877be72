"""Following a lab from outside: who looks at it works where the lab lives, and what they read makes one model here.

Of a lab over several hosts those who look work on each, and a process here has them tell what they read.

A lab may be taken down while it is followed, and a rootless environment ends with its lab, and whoever looks at it from
inside. Then this process, which is outside, waits for the lab to be there again. So a view that reads `moments` goes on
for as long as it likes.
"""

from __future__ import annotations

import os
import select
import signal
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import suppress
from functools import partial
from types import TracebackType

from labctl.frozen import frozen
from labctl.live import events, readings
from labctl.live.advance import advance
from labctl.live.events import Event
from labctl.live.readings import Reading, Stamped
from labctl.live.state import LabState
from labctl.plan.notifications import OtherChange
from labctl.process.child import Child
from labctl.process.line import Hangup, Line
from labctl.rootless.context import Context, context_for

MOST_NAMED = 20
"""How many changed namespaces are named to the processes that look, at most."""

LOOK = 0.3
"""Seconds between two looks whether the lab is there again."""

Work = Callable[[str, Line], object]
"""Who looks at a lab: sends lists of stamped readings on a line until the process ends that it runs in.

On the line come sets of names, of namespaces in which something has changed (an empty one for the lab itself), and
another work where it is to do that from now on.
"""


@frozen
class Moment:
    """What is known of a lab, and what has happened since the moment before, each with its time since the epoch.

    `read` is what all of that follows from. `ready` are those of the descriptors that were asked about which are
    readable, or whose other end is closed.
    """

    state: LabState
    events: tuple[tuple[float, Event], ...] = ()
    ready: frozenset[int] = frozenset()
    read: tuple[Stamped, ...] = ()


@frozen
class Where:
    """Where those who look at a lab work: its context, None where it does not run now; and who works there.

    `placed` is told who is to look, and returns who does that there.
    """

    context: Callable[[], Context | None]
    placed: Callable[[Mapping[str, Work]], Mapping[str, Work]] = lambda works: works


@frozen
class _Worker:
    """A process that looks at the lab, and the line to it."""

    child: Child
    line: Line

    def end(self) -> None:
        self.line.close()
        with suppress(ProcessLookupError):
            os.kill(self.child.pid, signal.SIGTERM)  # it is our child, so the PID is still its own
        self.child.close()
        self.child.wait()


class Watch:
    """A lab that is followed by some who look at it, named by what each does; with the context manager they end."""

    def __init__(self, lab: str, works: Mapping[str, Work], where: Where | None = None) -> None:
        self.state = LabState(lab)
        self._where = where or Where(partial(context_for, lab))
        self._works = self._where.placed(works)
        self._workers: dict[str, _Worker] = {}
        self._next_look = 0.0

    def __enter__(self) -> Watch:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End those who look."""
        for worker in self._workers.values():
            worker.end()
        self._workers.clear()

    def look(self, works: Mapping[str, Work]) -> None:
        """Have others look from now on: those that are not named end, those that are new are started.

        One whose work is another from now on is told it.
        """
        before, self._works = self._works, self._where.placed(works)
        for name in self._workers.keys() - self._works.keys():
            self._workers.pop(name).end()
        for name, worker in self._workers.items():
            if self._works[name] != before[name]:
                with suppress(Hangup):  # it is started again
                    worker.line.send(self._works[name])

    def moments(self, also: Collection[int] = (), output: Collection[int] = (), pause: float = 1.0) -> Iterator[Moment]:
        """Yield a moment whenever something was read, and when `pause` seconds have passed without.

        So, too, when a descriptor of `also` is readable, or the reader of one of `output` is gone. Raise what ended one
        of those who look: LabError.
        """
        due = time.monotonic() + pause
        while True:
            self._begin()
            lines = {worker.line.fileno(): name for name, worker in self._workers.items()}
            waiting = due if len(lines) == len(self._works) else min(due, self._next_look)
            poll = select.poll()
            for descriptor in (*lines, *also):
                poll.register(descriptor, select.POLLIN)
            for descriptor in output:
                poll.register(descriptor, 0)  # only for POLLERR and POLLHUP
            ready = frozenset(fd for fd, _ in poll.poll(1000 * max(0.0, waiting - time.monotonic())))
            read: list[Stamped] = []
            happened = [event for fd in lines if fd in ready for event in self._received(lines[fd], read)]
            if ready or time.monotonic() >= due:
                due = time.monotonic() + pause
                yield Moment(self.state, tuple(happened), ready - lines.keys(), tuple(read))

    def _begin(self) -> None:
        """Start those who look and do not, if the lab may be there; not more often than every LOOK seconds."""
        missing = [name for name in self._works if name not in self._workers]
        if not missing or time.monotonic() < self._next_look:
            return
        self._next_look = time.monotonic() + LOOK
        context = self._where.context()
        if context is not None:
            for name in missing:
                self._workers[name] = self._start(context, self._works[name])

    def _start(self, context: Context, work: Work) -> _Worker:
        ours, theirs = Line.pair()
        child = context.start(partial(_look, work, self.state.lab, ours, theirs))
        theirs.close()
        return _Worker(child, ours)

    def _received(self, name: str, read: list[Stamped]) -> Iterator[tuple[float, Event]]:
        """Yield what has happened by what one of them has sent, which is added to what was read."""
        try:
            batches = self._workers[name].line.received()
        except Hangup:
            yield from self._ended(name, read)
            return
        changed: set[str] = set()
        for batch in batches:
            read += batch
            for at, reading in batch:
                self.state, happened = advance(self.state, at, reading)
                yield from ((at, event) for event in happened)
                changed |= _changed(reading, happened)
        if changed:
            for worker in self._workers.values():  # also the one that says so: it may be over hosts, with all who look
                worker.line.offer(frozenset(list(changed)[:MOST_NAMED]))

    def _ended(self, name: str, read: list[Stamped]) -> Iterator[tuple[float, Event]]:
        """Yield what it means that one of them has ended: with an error, or with the lab. Raise the error."""
        worker = self._workers.pop(name)
        reply = worker.child.reply()
        worker.end()
        if self._where.context() is None:
            at = time.time()
            read.append((at, readings.NotThere()))
            self.state, happened = advance(self.state, at, readings.NotThere())
            yield from ((at, event) for event in happened)
        elif reply is not None and reply[0] is not None:
            raise reply[0]


def _look(work: Work, lab: str, ours: Line, theirs: Line) -> None:
    ours.close()
    with suppress(Hangup):
        work(lab, theirs)


_OF_TRAFFIC = (events.DropEvent, events.CheckEvent, events.DriftEvent, events.NeighbourEvent)


def _changed(reading: Reading, happened: Collection[Event]) -> set[str]:
    """Return the namespaces, an empty name for the lab itself, that may differ from the file since.

    So may the verdicts of checks. None where nothing changed but what traffic changes.
    """
    if isinstance(reading, readings.OnHost):
        reading = reading.reading
    if isinstance(reading, readings.Told) and isinstance(reading.notification, OtherChange):
        return {reading.namespace}
    places = [getattr(event, "place", "") for event in happened if not isinstance(event, _OF_TRAFFIC)]
    return {place.partition(":")[0] for place in places}
