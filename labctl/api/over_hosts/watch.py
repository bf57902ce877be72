"""Following a lab over hosts: on each, those who look work as on one machine, and what they read is sent here.

A process here has a session on each host, in a thread of its own: a host that is lost is logged in to again and again,
while the others are followed. The lab may end and be made again, over other hosts, too: its record here says so.
"""

from __future__ import annotations

import select
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial

from labctl.api.over_hosts.conversation import READ_AGAIN, readings_of
from labctl.api.over_hosts.sessions import Task
from labctl.api.work.look import look
from labctl.errors import LabError
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

Say = Callable[[list[Stamped]], object]
"""Called with stamped readings, in any thread."""


def watch(lab: str, works: Mapping[str, Work]) -> Watch:
    """Return a lab over hosts that is followed by some who look at it."""
    return Watch(lab, works, Where(this_machine, _placed))


def _placed(works: Mapping[str, Work]) -> Mapping[str, Work]:
    """Return who works here so that others look on the hosts: one for what every view needs, and one for each more."""
    always = {name: work for name, work in works.items() if name in LOOKS}
    found: dict[str, Work] = {"hosts": partial(_follow, works=always)}
    for name, work in works.items():
        if name in CHECKS:
            found[name] = _check
        elif name not in {**LOOKS, **TOPOLOGY}:
            found[name] = partial(_read, works={name: work})
    return found


def _follow(lab: str, line: Line, works: Mapping[str, Work]) -> None:
    """Send what is read on the hosts of a lab, over which it is, and which of them are lost. Raise Hangup."""
    _Following(lab, works, line.send).follow(line)


def _read(lab: str, line: Line, works: Mapping[str, Work]) -> None:
    """Send what is read on the hosts of a lab that are reached. Raise Hangup."""

    def say(found: list[Stamped]) -> None:
        if read := [one for one in found if isinstance(one[1], OnHost)]:
            line.send(read)

    _Following(lab, works, say).follow(line)


def _check(lab: str, line: Line) -> None:
    """Send verdicts of the checks of a lab. Raise Hangup."""
    from labctl.api.over_hosts.checker import check

    check(lab, line)


class _Following:
    """The hosts of a lab, on which some look at what is there."""

    def __init__(self, lab: str, works: Mapping[str, Work], say: Say) -> None:
        self._lab, self._works, self._say = lab, works, say
        self._saying = threading.Lock()

    def follow(self, line: Line) -> None:
        """Follow the lab as its record here is, and then as the next one is. Raise Hangup."""
        while True:
            record = recorded(self._lab)
            with self._followed(record):
                while recorded(self._lab) == record:
                    if select.select([line], [], [], LOOK)[0]:
                        line.received()

    @contextmanager
    def _followed(self, record: Record | None) -> Iterator[None]:
        """Follow the lab on all its hosts within the body."""
        over = threading.Event()
        self._tell(*(_as_readings(record) if record else [NotThere()]))
        hosts = record.hosts.items() if record else ()
        threads = [threading.Thread(target=self._on_host, args=(*host, over), daemon=True) for host in hosts]
        for thread in threads:
            thread.start()
        yield
        over.set()
        for thread in threads:
            thread.join()

    def _tell(self, *found: Reading) -> None:
        at = time.time()
        self._tell_stamped([(at, reading) for reading in found])

    def _tell_stamped(self, found: list[Stamped]) -> None:
        with self._saying:
            self._say(found)

    def _on_host(self, host: str, known: Host, over: threading.Event) -> None:
        """Follow the lab on a host, which is logged in to again where it is lost."""
        with suppress(Hangup):  # the process ends then
            while not over.is_set():
                try:
                    self._until_lost(host, known, over)
                except LabError as error:
                    self._tell(HostLost(host, _in_a_line(error)))
                    over.wait(AGAIN)

    def _until_lost(self, host: str, known: Host, over: threading.Event) -> None:
        """Follow the lab on a host. Raise LabError once it is lost."""
        from labctl.api.over_hosts.sessions import sessions

        with sessions({host: known}) as found:
            found.reach_all()
            task = found.start(host, partial(look, self._lab, self._works))
            clock = _Clock(task)
            found.until(
                lambda: task.over or over.is_set(), lambda _, read: self._tell_stamped([*map(clock.here, read)])
            )
            if task.over:
                _ = task.result


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
