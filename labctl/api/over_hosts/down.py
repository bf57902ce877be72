"""Down over hosts: each ends its share. One that is not reached stays recorded, and the next `down` goes on with it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from labctl.api.over_hosts.sessions import sessions
from labctl.api.work import parts
from labctl.errors import LabError, UsageError
from labctl.hosts.record import Record, recorded
from labctl.lab.down import DownReport
from labctl.lab.lock import locked_over_hosts

if TYPE_CHECKING:
    from labctl.lab.events import Removed


def down(labs: Sequence[str], others: DownReport) -> DownReport:
    """End labs over hosts. Return what was removed, and why hosts were not reached, with what is reported of others."""
    removed, failed = {**others.removed}, [*others.failed]
    for lab in labs:
        try:
            ended, lost = end(lab)
        except LabError as error:  # one that cannot be ended is not in the way of the others
            failed.append(error)
            continue
        if ended or not lost:
            removed[lab] = ended
        failed += lost
    return DownReport(removed, failed)


def end(lab: str) -> tuple[list[Removed], list[LabError]]:
    """End a lab over hosts, on those that are reached. Return what was removed, and why the others were not.

    Raise UsageError where another command changes it.
    """
    with locked_over_hosts(lab):
        record = recorded(lab)
        return end_recorded(record) if record else ([], [])


def end_recorded(record: Record) -> tuple[list[Removed], list[LabError]]:
    """End a lab over hosts, as `end` does, where its lock is held."""
    with sessions(record.hosts) as found:
        works = {host: partial(parts.end, record.lab, record.hosts[host].mark) for host in found.reached}
        answers = {**found.do(works), **found.lost}
    failed = {host: answer for host, answer in answers.items() if isinstance(answer, LabError)}
    left = record.without(frozenset(answers.keys() - failed.keys()))
    if left.hosts:
        left.write()
    else:
        record.forget()
    removed = [each for answer in answers.values() if isinstance(answer, tuple) for each in answer]
    another = [_another(record, host) for host, answer in answers.items() if answer is None]
    return removed, [*failed.values(), *another]


def _another(record: Record, host: str) -> UsageError:
    """Return the error for a host on which the lab was ended, and another one of the same name was made."""
    what, why = f"on {host} the lab named {record.lab} is another one", "it was made since, and is left alone"
    return UsageError(what, why, f"ssh {record.hosts[host].ssh} labctl down {record.lab} ends that one")
