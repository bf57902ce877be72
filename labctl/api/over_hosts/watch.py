"""Following a lab over hosts: on each, those who look work as on one machine, and what they read is sent here.

A process here has one session on each host, in a thread of its own: a host that is lost is logged in to again and
again, while the others are followed. One more thread asks the checks, by work in the same sessions (beside.py). The lab
may end and be made again, over other hosts, too: its record here says so.
"""

from __future__ import annotations

import select
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager, nullcontext, suppress
from dataclasses import replace
from functools import partial

from labctl.api.over_hosts.conversation import READ_AGAIN, readings_of
from labctl.api.over_hosts.sessions import Sessions, sessions
from labctl.api.over_hosts.task import Task
from labctl.api.work.look import look
from labctl.errors import LabError
from labctl.frozen import frozen
from labctl.hosts.link import LOGINS
from labctl.hosts.record import Host, Record, recorded
from labctl.lab.live.watch import Watch, Where, Work
from labctl.lab.live.watchers import CHECKS, LOOKS, TOPOLOGY
from labctl.live.readings import HostLost, NotThere, OnHost, Packets, Reading, Spread, Stamped, Written
from labctl.process.line import Hangup, Line
from labctl.rootless.context import this_machine
from labctl.trace.clocks import HERE, clocks

LOOK = 0.3
"""Seconds between two looks at the record of the lab here."""

AGAIN = 3.0
"""Seconds after which a host that is lost is logged in to again."""


def watch(lab: str, works: Mapping[str, Work]) -> Watch:
    """Return a lab over hosts that is followed by some who look at it."""
    return Watch(lab, works, Where(this_machine, lambda who: {"hosts": _Follow(who)}))


@frozen
class _Follow:
    """Who follows a lab over hosts, on each of which these look. Another one on its line says who does from then on."""

    works: Mapping[str, Work]

    def __call__(self, lab: str, line: Line) -> None:
        """Send what is read on the hosts, over which the lab is, and which of them are lost. Raise Hangup."""
        _Following(lab, self.works, line).follow()

    @property
    def always(self) -> Mapping[str, Work]:
        """Return who looks on each host as every view needs it."""
        return {name: work for name, work in self.works.items() if name in LOOKS}

    @property
    def more(self) -> Mapping[str, Work]:
        """Return who else looks on each host."""
        return {name: work for name, work in self.works.items() if name not in {**LOOKS, **TOPOLOGY, **CHECKS}}

    @property
    def checks(self) -> bool:
        """Return whether checks are asked."""
        return CHECKS.keys() <= self.works.keys()


class _Following:
    """A lab over hosts that is followed."""

    def __init__(self, lab: str, works: Mapping[str, Work], line: Line) -> None:
        self._lab, self._wanted, self._line = lab, _Follow(works), line
        self._sending = threading.Lock()
        self._logging_in = threading.BoundedSemaphore(LOGINS)

    def follow(self) -> None:
        """Follow the lab as its record here is, and then as the next one is. Raise Hangup."""
        while True:
            record = recorded(self._lab)
            with self._followed(record) as found:
                while recorded(self._lab) == record:
                    self._attend(record, found)

    @contextmanager
    def _followed(self, record: Record | None) -> Iterator[dict[str, Sessions]]:
        """Follow the lab on all its hosts within the body. Yield the sessions there, once they were tried to be had."""
        over, found = threading.Event(), dict[str, Sessions]()
        self._tell(*(_as_readings(record) if record else [NotThere()]))
        hosts = record.hosts.items() if record else ()
        threads = [threading.Thread(target=self._on_host, args=(*host, found, over), daemon=True) for host in hosts]
        for thread in threads:
            thread.start()
        yield found
        over.set()
        for thread in threads:
            thread.join()

    def _attend(self, record: Record | None, found: Mapping[str, Sessions]) -> None:
        """Have checks asked, or not, as long as that is wanted and the record of the lab is this. Raise Hangup."""
        asked = self._wanted.checks
        with _asked(record, found) if record and asked else nullcontext() as checks:
            lines = [self._line, checks] if checks else [self._line]
            while self._wanted.checks == asked and recorded(self._lab) == record:
                ready, _, _ = select.select(lines, [], [], LOOK)
                for told in self._line.received() if self._line in ready else ():
                    if isinstance(told, _Follow):
                        self._wanted = told
                    elif checks:
                        checks.offer(told)
                for verdicts in checks.received() if checks in ready else ():
                    self._send(verdicts)

    def _tell(self, *found: Reading) -> None:
        at = time.time()
        self._send([(at, reading) for reading in found])

    def _send(self, found: list[Stamped]) -> None:
        with self._sending:
            self._line.send(found)

    def _on_host(self, host: str, known: Host, all_found: dict[str, Sessions], over: threading.Event) -> None:
        """Follow the lab on a host, which is logged in to again where it is lost."""
        with suppress(Hangup):  # the process ends then
            while not over.is_set():
                with ExitStack() as session:
                    with self._logging_in:
                        found = all_found[host] = session.enter_context(sessions({host: known}))
                    try:
                        self._look(host, found, over)
                    except LabError as error:
                        self._tell(HostLost(host, _in_a_line(error)))
                        found.lose(host, error)
                    found.lose(host, LabError(f"{host} is not followed any more"))
                over.wait(AGAIN)

    def _look(self, host: str, found: Sessions, over: threading.Event) -> None:
        """Have those who are to look on a host do so. Raise LabError once it is lost."""
        found.reach_all()
        always = found.start(host, partial(look, self._lab, self._wanted.always))
        clock, more = _Clock(always), dict[str, Task[None]]()

        def changed(wanted: _Follow) -> bool:
            return self._wanted is not wanted or over.is_set() or always.over

        while not over.is_set() and not always.over:
            wanted = self._wanted
            for name in more.keys() - wanted.more.keys():
                found.interrupt([more.pop(name)])
            for name in wanted.more.keys() - more.keys():
                more[name] = found.start(host, partial(look, self._lab, {name: wanted.more[name]}))
            found.until(partial(changed, wanted), lambda _, read: self._send([*map(clock.here, read)]))
        if always.over:
            _ = always.result


@contextmanager
def _asked(record: Record, found: Mapping[str, Sessions]) -> Iterator[Line]:
    """Have a thread ask the checks of a lab. Yield the line to it."""
    from labctl.api.over_hosts.checker import check

    ours, theirs = Line.pair()

    def ask() -> None:
        with closing(theirs), suppress(Hangup):
            check(record, found, theirs)

    threading.Thread(target=ask, daemon=True).start()
    with closing(ours):
        yield ours


class _Clock:
    """The clock of a host: what is read there is stamped with it, and is told with the time of the clock here."""

    def __init__(self, task: Task[None]) -> None:
        """Raise LabError where the host is lost."""
        self._task = task
        self._read()

    def _read(self) -> None:
        host = self._task.host
        known = clocks({host: readings_of(self._task)})
        self._ahead, self._within = known.ahead[host] / 1e9, known.within(HERE, host) / 1e9
        self._again = time.monotonic() + READ_AGAIN

    def here(self, read: Stamped) -> Stamped:
        """Return a reading with the time of the clock here. Raise LabError where the host is lost."""
        if time.monotonic() > self._again:
            self._read()
        at, reading = read
        if isinstance(reading, Packets):
            reading = replace(reading, seen=tuple(replace(it, at=it.at - self._ahead) for it in reading.seen))
        return at - self._ahead, OnHost(self._task.host, reading, self._within)


def _as_readings(record: Record) -> list[Reading]:
    """Return what the record of a lab says."""
    hosts = {host: known.namespaces for host, known in record.hosts.items()}
    topology = record.applied()
    made = [Written(topology)] if topology else []
    return [*made, Spread(hosts, record.file, topology is not None)]


def _in_a_line(error: LabError) -> str:
    return "; ".join((error.why or error.what).splitlines())
