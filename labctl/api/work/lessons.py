"""Work that a lesson needs of its lab beside what all programs do."""

from __future__ import annotations

from functools import partial

from labctl.api.caller import Caller
from labctl.errors import kernel_errors_as


def identity(lab: str, caller: Caller) -> str:
    """Return what tells this running lab from another of the same name."""
    from labctl.lab.own_labs import context_of
    from labctl.lab.state import State

    return context_of(lab).call(lambda: State(lab).read().mark)


def record_commands(lab: str, caller: Caller) -> None:
    """Record from now on what a person runs in the lab."""
    from labctl.lab.own_labs import context_of

    context_of(lab).call(partial(_record_commands, lab))


def record_command(lab: str, namespace: str, command: str, caller: Caller) -> None:
    """Record a command as one that a person has typed."""
    from labctl.lab.execute import record
    from labctl.lab.own_labs import context_of

    context_of(lab).call(partial(record, lab, namespace, command))


def _record_commands(lab: str) -> None:
    from labctl.lab.command_record import CommandRecord
    from labctl.lab.state import State

    with kernel_errors_as(f"the commands of lab {lab} cannot be recorded"):
        CommandRecord(State(lab).directory).begin()
