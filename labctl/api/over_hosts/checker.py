"""Who runs the checks of a lab over hosts again and again, for who follows it: as on one machine, by what verify does.

The work is done in the sessions of who follows the hosts. While one of those is lost no check is asked: each would tell
of that, and not of the lab.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace

from labctl.api.over_hosts.at_hand import LabAtHand, at_hand
from labctl.api.over_hosts.beside import Beside
from labctl.api.over_hosts.sessions import Sessions
from labctl.api.over_hosts.verify import There, explained, measured
from labctl.checks.results import Result
from labctl.diagnosis.verdict import in_a_line
from labctl.errors import LabError
from labctl.hosts.record import Record, recorded
from labctl.lab.live.checker import Ask, Known, ask_for_a_while, changed_within, may_be_disturbed
from labctl.lab.lock import at_work_over_hosts
from labctl.live.readings import Checked, Listed
from labctl.plan.desired import Desired, desired
from labctl.process.line import Line
from labctl.topology.model import Check, Topology

AGAIN = 1.0
"""Seconds after which it is looked again whether all hosts are reached."""


def check(record: Record, found: Mapping[str, Sessions], line: Line) -> None:
    """Send the verdict of each check as soon as it is there, again and again. Raise Hangup.

    The sessions on hosts are those that other threads have now; none yet where a host was not tried.
    """
    known: dict[str, Known] = {}
    topology = record.applied()
    while True:
        if topology and found.keys() == record.hosts.keys():
            there = Beside({**found})
            while not there.lost:
                ask_for_a_while(_There(record, topology, there), known, line)
            _tell_unasked(topology, next(iter(there.lost.values())), line)
        changed_within(line, AGAIN)


def _tell_unasked(topology: Topology, why: LabError, line: Line) -> None:
    checks, now = topology.checks, time.time()
    unasked = [(now, Checked(check.name, "not-asked", why.what)) for check in checks]
    line.send([(now, Listed(tuple(check.name for check in checks))), *unasked])


class _There:
    """A lab over hosts, and its checks."""

    def __init__(self, record: Record, topology: Topology, found: Sessions) -> None:
        self._record, self._found, self._wanted = record, found, desired(topology)

    def topology(self) -> Topology | None:
        return self._wanted.topology

    def changes(self) -> bool:
        lab = self._record.lab
        return bool(self._found.lost) or at_work_over_hosts(lab) or recorded(lab) != self._record

    @contextmanager
    def alone(self) -> Iterator[Ask]:
        with at_hand(self._record, self._found) as hosts:
            yield _Asking(self._record, hosts, self._wanted)


class _Asking:
    """What asks checks, while no other command does."""

    def __init__(self, record: Record, hosts: LabAtHand, wanted: Desired) -> None:
        self._record, self._hosts, self._wanted = record, hosts, wanted

    def briefly(self, check: Check) -> Result:
        result = measured(self._record, self._hosts, self._wanted, check)
        return self.explained(check) if may_be_disturbed(check, result) else result

    def explained(self, check: Check) -> Result:
        ((result, causes),) = explained(self._record, There(self._record.lab, self._hosts), self._wanted, [check])
        return replace(result, lost=in_a_line(causes))
