"""Work that looks into a lab, and runs something inside: running, names, status, logs, events, run."""

from __future__ import annotations

import os
import socket
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from labctl.api.caller import Caller
from labctl.errors import UsageError
from labctl.process.child import Tell

if TYPE_CHECKING:
    import subprocess

    from labctl.lab.names import Names
    from labctl.lab.status import Status, Summary
    from labctl.rootless.context import Context


def running(caller: Caller) -> tuple[str, ...]:
    """Look which labs run."""
    from labctl.lab.own_labs import own_labs

    return tuple(own_labs())


def namespaces(lab: str, caller: Caller) -> tuple[str, ...]:
    """Read the namespaces of a lab."""
    from labctl.lab.names import namespaces_of
    from labctl.lab.own_labs import context_of

    return context_of(lab).call(partial(namespaces_of, lab))


def names(lab: str, caller: Caller) -> Names:
    """Read the names inside a lab."""
    from labctl.lab.names import names as names_of
    from labctl.lab.own_labs import context_of

    return context_of(lab).call(partial(names_of, lab))


def summaries(caller: Caller) -> tuple[Summary, ...]:
    """Return one line about each lab that runs."""
    from labctl.lab.own_labs import own_labs

    return tuple(line for lab, context in own_labs().items() for line in summarized(lab, context))


def summarized(lab: str, context: Context) -> Sequence[Summary]:
    """Return one line about a lab that has run a moment ago; none where it has ended meanwhile."""
    from labctl.lab.status import summary

    try:
        return [context.call(partial(summary, lab, context.mode))]
    except UsageError:
        return []


def status(lab: str, caller: Caller) -> Status:
    """Look what is there of a lab."""
    from labctl.lab.own_labs import context_of
    from labctl.lab.status import status as status_of

    return context_of(lab).call(partial(status_of, lab))


def logs(lab: str, named: Sequence[str], follow: bool, column: int, caller: Caller) -> None:
    """Tell the lines that engines and programs of a lab wrote; with `follow` until this is interrupted.

    `column` is the width of the names in front of them, where they stand beside others than these.
    """
    from labctl.lab.engines.logs import lines
    from labctl.lab.own_labs import context_of

    def work(tell: Tell) -> None:
        for line in lines(lab, named, follow, column):
            tell(line)

    context_of(lab).follow(work, caller.tell)


def run(lab: str, namespace: str, command: Sequence[str], caller: Caller) -> int:
    """Run a command in a namespace, on the standard streams of this process, and send the caller a pidfd of it.

    Return its exit code, -N if signal N ended it.
    """
    from labctl.lab.execute import execute
    from labctl.lab.own_labs import context_of

    def work() -> int:
        reported = Reported(caller)
        execute(lab, namespace, command, reported)
        return reported.code

    return context_of(lab).call(work)


class Reported:
    """Waits for a command whose caller is sent a pidfd of it; `code` is its exit code, -N if signal N ended it."""

    code = 0

    def __init__(self, caller: Caller) -> None:
        (self._started,) = caller.descriptors

    def __call__(self, process: subprocess.Popen[bytes]) -> int:
        with socket.socket(fileno=self._started) as line:
            pidfd = os.pidfd_open(process.pid)
            socket.send_fds(line, [b"started"], [pidfd])
            os.close(pidfd)
        self.code = process.wait()
        return self.code
