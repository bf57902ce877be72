"""Calls that look at packets: trace and capture, for a program and for a person at a terminal."""

from __future__ import annotations

import signal
from collections.abc import Sequence
from typing import TYPE_CHECKING

from labctl.api.caller import Caller
from labctl.api.work import packets as work
from labctl.hosts.record import recorded

if TYPE_CHECKING:
    from labctl.lab.traced import Traced


def trace_command(lab: str, namespace: str, command: Sequence[str], caller: Caller) -> Traced:
    """Run a command in a namespace, on the standard streams of this process, and follow its packets."""
    if record := recorded(lab):
        from labctl.api.over_hosts.trace import trace_command
        from labctl.engine.loop.signals import heard

        with heard(signal.SIGTERM) as stop:
            return trace_command(record, namespace, command, False, stop)
    return work.trace_command(lab, namespace, command, caller)


def trace_check(lab: str, check: str, caller: Caller) -> Traced:
    """Run a check, tell its result, and follow its packets."""
    if record := recorded(lab):
        from labctl.api.over_hosts.trace import trace_check

        return trace_check(record, check, caller.tell)
    return work.trace_check(lab, check, caller)


def capture(
    lab: str,
    typed: Sequence[str],
    expression: str | None,
    file: str | None,
    count: int | None,
    seconds: float | None,
    caller: Caller,
) -> work.Captured:
    """See packets until the caller says nothing any more, and tell what is looked at once it is."""
    if record := recorded(lab):
        from labctl.api.over_hosts.capture import capture

        with capture(record, typed, expression) as captured:
            return work.taken(captured, file, caller.line, count, seconds, caller.tell)
    return work.capture(lab, typed, expression, file, count, seconds, caller)


def show_trace(lab: str, namespace: str, command: Sequence[str], to_stderr: bool, show: work.Show) -> int:
    """Run a command that a person has typed, and show what became of its packets. Return its exit code."""
    if record := recorded(lab):
        from labctl.api.over_hosts.trace import trace_command
        from labctl.engine.loop.signals import heard
        from labctl.process.signals import TERMINATION, ignored

        with heard(again=TERMINATION) as stop, ignored(signal.SIGQUIT):
            return show(lambda: trace_command(record, namespace, command, to_stderr, stop))
    return work.show_trace(lab, namespace, command, to_stderr, show)


def show_capture(lab: str, typed: Sequence[str], expression: str | None, use: work.Use) -> None:
    """Have packets shown to a person, until Ctrl-C."""
    if record := recorded(lab):
        from labctl.api.over_hosts.capture import capture
        from labctl.engine.loop.signals import heard

        with heard(signal.SIGINT, signal.SIGTERM) as stop, capture(record, typed, expression) as captured:
            use(captured, stop)
        return
    work.show_capture(lab, typed, expression, use)
