"""What is about one engine, program or namespace of a lab over hosts: it is done on the host where that is."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from labctl.api.caller import Caller
from labctl.api.over_hosts.known import that_run
from labctl.api.over_hosts.sessions import sessions
from labctl.api.over_hosts.task import Task
from labctl.api.work import inspect, operate, parts
from labctl.engine.loop.signals import heard
from labctl.errors import LabError
from labctl.hosts.command import run_there
from labctl.hosts.errors import broke_off
from labctl.hosts.notes import OF_SSH
from labctl.hosts.passing_on import run_hearing
from labctl.hosts.record import Host, Record
from labctl.process.signals import TERMINATION
from labctl.topology.interface_ref import InterfaceRef

if TYPE_CHECKING:
    from labctl.lab.engines.control import Changes
    from labctl.lab.impair import InForce

Run = Callable[[Host, list[str], str], int]
"""Runs labctl on a host with some words and the name of a note, and returns the exit code (hosts/command.py)."""


def logs(record: Record, named: Sequence[str], follow: bool, caller: Caller) -> None:
    """Tell the lines that engines and programs wrote, each with the name of its host: of one host after the other.

    Raise LabError in the end where a host is not reached, or has nothing of the lab. With `follow`, which has none, one
    that is not reached is told at once, and lines are told as they come.
    """
    runs = that_run(record, named)
    names = [name for each in runs.values() for name in each]
    host_column, name_column = max(map(len, runs), default=0), max(map(len, names)) if len(names) > 1 else 0
    works = {host: partial(inspect.logs, record.lab, each, follow, name_column) for host, each in runs.items()}
    kept: dict[str, list[str]] = {host: [] for host in works}

    def show(host: str, line: str) -> None:
        caller.tell(f"{host.ljust(host_column)}  {line}")

    def hear(task: Task[Any], line: str) -> None:
        show(task.host, line) if follow else kept[task.host].append(line)

    with sessions({host: record.hosts[host] for host in (works if named else record.hosts)}) as found:
        if follow:
            found.tell_lost(lambda host, why: show(host, f"not reached: {why.why or why.what}"))
        answers = found.do({host: works[host] for host in found.reached if host in works}, hear)
        for host, lines in kept.items():
            for line in lines:
                show(host, line)
        found.reach_all()
        for answer in answers.values():
            if isinstance(answer, LabError):
                raise answer


def impair(record: Record, device: str, changes: Changes) -> InForce:
    """Change what packets suffer at a device."""
    host = record.host_of(InterfaceRef.typed(device).namespace)
    with sessions({host: record.hosts[host]}) as found:
        found.reach_all()
        return found.on(host, partial(operate.impair, record.lab, device, changes))


def run(record: Record, namespace: str, command: Sequence[str], caller: Caller) -> int:
    """Run a command in a namespace, as on one machine. Return its exit code."""
    reported = inspect.Reported(caller)
    labctl(record, namespace, ["exec", namespace, "--", *command], partial(run_there, wait=reported))
    return reported.code


def execute(record: Record, namespace: str, command: Sequence[str]) -> int:
    """Run a command that a person has typed, as on one machine. Return its exit code."""
    with heard(again=TERMINATION) as signals:
        return labctl(record, namespace, ["exec", namespace, "--", *command], partial(run_hearing, signals))


def labctl(record: Record, namespace: str, words: Sequence[str], run: Run = run_there) -> int:
    """Run a command of labctl that is about one namespace of a lab, on the host where that is. Return its exit code.

    Raise UsageError where there is no such namespace, LabError where the host is not reached, or does not tell how the
    command ended, and what labctl there raises.
    """
    (command, *others), host, note = words, record.host_of(namespace), f"ended-{secrets.token_hex(8)}"
    code = run(record.hosts[host], [command, "-l", record.lab, *others], note)
    if code == OF_SSH:
        with sessions({host: record.hosts[host]}) as found:
            found.reach_all()
            if not found.on(host, partial(parts.ended, note)):
                raise broke_off(host)
    return code
