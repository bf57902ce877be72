"""Up over hosts, in three phases on all at once, as one transaction.

    begin   each host makes its share of the lab, and keeps it for as long as this session lasts
    plug    the cables between hosts are joined
    keep    each host keeps its share

Whatever dies before `keep` leaves nothing: a host takes its share back when its session ends, or when it hears nothing
for a while (api/agent.py); so does this process where a host is lost or refuses. A lab that stood before is put back as
it was. Which hosts the lab is on is recorded before anything is made there.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from labctl.api.caller import Caller
from labctl.api.over_hosts import cables, neighbours
from labctl.api.over_hosts.down import end, end_recorded
from labctl.api.over_hosts.sessions import Sessions, sessions
from labctl.api.over_hosts.task import Task, Tell
from labctl.api.work import parts
from labctl.engine.cable.no_core import dump_no_core
from labctl.errors import LabError, UsageError
from labctl.hosts.record import Record, recorded
from labctl.lab.cables.ends import Waiting
from labctl.lab.cables.status import CableStatus
from labctl.lab.events import Done, Listener, Planned, RollingBack
from labctl.lab.lock import locked_over_hosts
from labctl.lab.own_labs import own_labs
from labctl.lab.up import UpReport
from labctl.plan.parts import parts as parts_of
from labctl.process.signals import TERMINATION, ignored

if TYPE_CHECKING:
    from labctl.topology.model import Topology


def up(written: Topology, file: str, inventory: str, fresh: bool, caller: Caller) -> UpReport:
    """Make a lab over hosts what a topology asks for, and tell the steps; end it first if it is to be `fresh`.

    Raise LabError; nothing is left of it then, or it is as it was. Raise UsageError where another command changes it.
    """
    with locked_over_hosts(written.name):
        before = recorded(written.name)
        if fresh and before:
            for error in end_recorded(before)[1]:
                raise error
            before = None
        return make(written, file, inventory, before, caller)


def make(written: Topology, file: str, inventory: str, before: Record | None, caller: Caller) -> UpReport:
    """Make a lab over hosts what a topology asks for, as `up` does, where its lock is held."""
    began, asked = time.monotonic(), cables.with_addresses(written)
    record = Record.of(asked, parts_of(asked), file, inventory)
    left_over = [host for host in before.hosts if host not in record.hosts] if before else []
    with sessions({**(before.hosts if before else {}), **record.hosts}) as found:
        found.reach_all()
        standing = stood(found, asked.name, before)
        topology = cables.fit(found, asked, standing)
        shares = parts_of(topology)
        begun, made = _with_hosts_of(record, before), list[Task[Any]]()
        merged = Merged(topology.name, tuple(shares), caller.tell)
        try:
            begun.write()
            for host, share in shares.items():
                made.append(found.start(host, partial(parts.begin, share)))
            carriers = _joined(found, topology, made, merged)
            with ignored(*TERMINATION):
                found.settle(made, keep=True)
                for task in made:
                    if task.error is not None:
                        raise task.error
                for host in left_over:
                    found.on(host, partial(parts.end, topology.name, begun.hosts[host].mark))
                reports = {task.host: task.result[0] for task in made}
                neighbours.forget(found, topology.name, shares, reports)
                record.completed(topology, {host: report.mark for host, report in reports.items()}).write()
        except BaseException as error:
            with ignored(*TERMINATION):
                merged.take_back(error.what if isinstance(error, LabError) else "interrupted")
                _take_back(found, made, standing, begun, before)
            raise
    if not standing:
        caller.unless_received.append(partial(end, topology.name))
    notes = [f"on {host}: {note}" for host, report in reports.items() for note in report.notes]
    notes += cables.notes(asked, topology, carriers)
    return _merged(topology, reports, not standing, time.monotonic() - began, notes)


def _joined(
    found: Sessions, topology: Topology, made: Sequence[Task[Any]], merged: Merged
) -> dict[str, dict[str, CableStatus]]:
    """Wait until each host has made its share, and join the cables. Return how they are. Raise LabError."""
    _all(found, made, lambda task: task.over or task.host in merged.waiting, merged.hear)
    dump_no_core()
    told = cables.plugs(topology, merged.waiting)
    for task in made:
        if task.host in told:
            found.tell(task, told[task.host])
    _all(found, made, lambda task: task.over, merged.hear)
    carriers = {task.host: task.result[1] for task in made}
    cables.check_carriers(carriers)
    return carriers


def _all(found: Sessions, tasks: Sequence[Task[Any]], done: Callable[[Task[Any]], bool], hear: Tell) -> None:
    """Wait until something is so of all tasks. Raise the LabError of the first that fails."""
    found.until(lambda: all(map(done, tasks)) or any(task.error for task in tasks), hear)
    for task in tasks:
        if task.error is not None:
            raise task.error


def stood(found: Sessions, lab: str, before: Record | None) -> dict[str, Topology]:
    """Return what was applied of a lab on each host where it stands. Raise UsageError where that is another lab."""
    if before is None and lab in own_labs():
        hint = f"labctl down {lab}, or another name: labctl up --name NAME"
        raise UsageError(f"a lab named {lab} runs on this machine already", "it is not over hosts", hint)
    there = found.all(dict.fromkeys(found.reached, partial(parts.stands, lab)))
    stands = {host: each for host, each in there.items() if each is not None}
    for host, (mark, _) in stands.items():
        if before is None or before.is_another(host, mark):
            raise UsageError(
                f"on {host} a lab named {lab} runs already",
                "it is not one that was made from here",
                f"ssh {host} labctl down {lab}, or another name: labctl up --name NAME",
            )
    return {host: topology for host, (_, topology) in stands.items() if topology is not None}


def _with_hosts_of(record: Record, before: Record | None) -> Record:
    """Return a record that leads to all hosts on which something of the lab is, or may be in a moment."""
    if before is None:
        return record
    return replace(record, hosts={**before.hosts, **record.hosts}, topology=before.topology)


def _take_back(
    found: Sessions, made: Sequence[Task[Any]], stood: Mapping[str, Topology], begun: Record, before: Record | None
) -> None:
    """Have no host keep what it made, and put back a lab that stood."""
    kept = [task for task in made if task.settled and task.error is None]
    found.interrupt(made)
    found.settle([task for task in made if task.error is None], keep=False)
    gone = found.do({task.host: partial(parts.end, begun.lab, "") for task in kept if task.host not in stood})
    try:
        _put_back(found, stood, before)
    except LabError:
        return  # what is recorded leads `down` to what may be left
    if any(isinstance(answer, LabError) for answer in gone.values()) or found.lost:
        return
    if before is not None:
        before.write()
    else:
        begun.forget()


def _put_back(found: Sessions, stood: Mapping[str, Topology], before: Record | None) -> None:
    """Make a lab again what it was on the hosts where it stood, with its cables joined. Raise LabError."""
    topology = before.applied() if before else None
    if topology is None:
        return
    again = [found.start(host, partial(parts.begin, share)) for host, share in stood.items()]
    try:
        _joined(found, topology, again, Merged(topology.name, tuple(stood), lambda _: None))
    finally:
        found.settle([task for task in again if task.error is None], keep=True)


def _merged(
    topology: Topology, reports: Mapping[str, UpReport], fresh: bool, seconds: float, notes: Sequence[str]
) -> UpReport:
    each = list(reports.values())
    return UpReport(
        topology.name,
        "/".join(sorted({report.mode for report in each})),
        fresh,
        topology,
        tuple(change for report in each for change in report.changes),
        tuple(substitution for report in each for substitution in report.substitutions),
        seconds,
        each[0].coverage,
        tuple(notes),
    )


class Merged:
    """The events of all hosts as those of one lab: what is planned is told once, before what is done."""

    def __init__(self, lab: str, hosts: tuple[str, ...], tell: Listener) -> None:
        self.waiting: dict[str, Waiting] = {}  # the cables of each host, once it has made its share
        self._lab, self._tell = lab, tell
        self._hosts = hosts
        self._planned: dict[str, Planned] = {}
        self._unsaid: list[Done] = []
        self._taken_back = False

    def hear(self, task: Task[Any], event: Any) -> None:
        """Hear what happens on a host."""
        host = task.host
        match event:
            case Planned():
                self._planned[host] = event
                if self._is_planned:
                    self._tell(self._all())
                    for done in self._unsaid:
                        self._tell(done)
                    self._unsaid.clear()
            case Done() if not self._is_planned:
                self._unsaid.append(event)
            case Waiting():
                self.waiting[host] = event
            case RollingBack(why):
                self.take_back(f"on {host}: {why}")
            case _ if not self._taken_back:
                self._tell(event)

    @property
    def _is_planned(self) -> bool:
        return len(self._planned) == len(self._hosts)

    def take_back(self, why: str) -> None:
        """Tell once that what was made is taken back: where one host does so, all do."""
        if not self._taken_back:
            self._taken_back = True
            self._tell(RollingBack(why))

    def _all(self) -> Planned:
        each = [self._planned[host] for host in self._hosts]
        changes = tuple(change for planned in each for change in planned.changes)
        return Planned(self._lab, changes, all(planned.fresh for planned in each))
