"""Calls that look into a lab, and run something inside: running, list, names, status, logs, events, run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from labctl.api.caller import Caller
from labctl.api.work import inspect as work
from labctl.hosts.record import recorded, recorded_labs

if TYPE_CHECKING:
    from labctl.lab.names import Names
    from labctl.lab.status import Status, Summary


def running(caller: Caller) -> tuple[str, ...]:
    """Look which labs run. One over hosts hides what is of it on this machine."""
    return tuple(dict.fromkeys((*work.running(caller), *recorded_labs())))


def summaries(caller: Caller) -> tuple[Summary, ...]:
    """Return one line about each lab that runs."""
    if not (over := recorded_labs()):
        return work.summaries(caller)
    from labctl.api.over_hosts.known import summary

    here = (each for each in work.summaries(caller) if each.lab not in over)
    return (*here, *map(summary, over))


def namespaces(lab: str, caller: Caller) -> tuple[str, ...]:
    """Read the namespaces of a lab."""
    record = recorded(lab)
    return tuple(record.namespaces) if record else work.namespaces(lab, caller)


def names(lab: str, caller: Caller) -> Names:
    """Read the names inside a lab."""
    if record := recorded(lab):
        from labctl.api.over_hosts.known import names

        return names(record)
    return work.names(lab, caller)


def status(lab: str, caller: Caller) -> Status:
    """Look what is there of a lab."""
    if record := recorded(lab):
        from labctl.api.over_hosts.status import status

        return status(record)
    return work.status(lab, caller)


def logs(lab: str, named: Sequence[str], follow: bool, caller: Caller) -> None:
    """Tell the lines that engines and programs of a lab wrote; with `follow` until this is interrupted."""
    if record := recorded(lab):
        from labctl.api.over_hosts.there import logs

        return logs(record, named, follow, caller)
    work.logs(lab, named, follow, 0, caller)


def events(lab: str, verify: bool, caller: Caller) -> None:
    """Tell what happens in a lab, each with its time; None at first, once it is looked at."""
    from labctl.api.calls.watch import watch
    from labctl.lab.live.watchers import CHECKS, LOOKS

    with watch(lab, {**LOOKS, **(CHECKS if verify else {})}) as following:
        early: list[object] = []
        looked_at = False
        for moment in following.moments():
            early += moment.events
            if not looked_at and (moment.state.drift is not None or moment.state.lost):
                caller.tell(None)
                looked_at = True
            if looked_at:
                for happened in early:
                    caller.tell(happened)
                early.clear()


def run(lab: str, namespace: str, command: Sequence[str], caller: Caller) -> int:
    """Run a command in a namespace, on the standard streams of this process, and send the caller a pidfd of it.

    Return its exit code, -N if signal N ended it.
    """
    if record := recorded(lab):
        from labctl.api.over_hosts.there import run

        return run(record, namespace, command, caller)
    return work.run(lab, namespace, command, caller)
