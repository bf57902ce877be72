"""What each call does, from looking where the lab lives to the result: in the process that works, whoever has asked."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from labctl.api.caller import Caller
from labctl.process.child import Tell

if TYPE_CHECKING:
    from labctl.lab.events import Removed
    from labctl.lab.status import Status
    from labctl.lab.up import UpReport
    from labctl.lab.verify import Verified
    from labctl.topology.model import Topology


def up(source: str | Topology, name: str | None, fresh: bool, caller: Caller) -> UpReport:
    """Make a lab what a topology asks for; end the one of that name first where it is to be made `fresh`."""
    from labctl.lab.engines.forkserver_client import forkserver

    with forkserver() as server:  # first of all: it has something to load
        from labctl.api.sources import desired_of, file_of
        from labctl.lab.down import end as end_lab
        from labctl.lab.own_labs import own_labs
        from labctl.lab.up import up as make
        from labctl.process.signals import TERMINATION, ignored
        from labctl.rootless.context import context_of_new

        wanted, file = desired_of(source, name), file_of(source)
        lab = wanted.topology.name
        if fresh and (before := own_labs().get(lab)):
            end_lab(lab, before)
        context = context_of_new(lab)

        def work(tell: Tell) -> UpReport:
            return caller.until_the_end.enter_context(make(wanted, file, context.mode, server.at(context), tell))

        try:
            made = context.follow(work, caller.tell)
            caller.until_the_end.enter_context(ignored(*TERMINATION))  # the lab is made: what is left does not fail
        except BaseException:
            context.abandon()
            raise
    caller.if_received.append(context.keep)  # until then a rootless environment ends with this process
    if made.fresh:
        caller.unless_received.append(lambda: end_lab(lab, context))
    return made


def verify(lab: str, checks: Sequence[str], system_tools: bool, caller: Caller) -> Verified:
    """Run checks of a lab, and tell each result as soon as it is there."""
    from labctl.lab.own_labs import context_of
    from labctl.lab.verify import verify as verified

    if system_tools:
        from labctl.checks.system_tools import SystemTools as tools
    else:
        from labctl.checks.probes import Probes as tools  # type: ignore[assignment]
    return context_of(lab).follow(lambda tell: verified(lab, checks, tools, tell), caller.tell)


def status(lab: str, caller: Caller) -> Status:
    """Look what is there of a lab."""
    from labctl.lab.own_labs import context_of
    from labctl.lab.status import status as status_of

    return context_of(lab).call(partial(status_of, lab))


def down(lab: str, caller: Caller) -> Sequence[Removed]:
    """End a lab. A second time is no error."""
    from labctl.lab.down import down as end_labs
    from labctl.lab.own_labs import own_labs

    report = end_labs([lab], own_labs())
    for error in report.failed:
        raise error
    return tuple(report.removed.get(lab, ()))


def running(caller: Caller) -> tuple[str, ...]:
    """Look which labs run."""
    from labctl.lab.own_labs import own_labs

    return tuple(own_labs())


def namespaces(lab: str, caller: Caller) -> tuple[str, ...]:
    """Read which namespaces a lab has."""
    from labctl.lab.names import namespaces_of
    from labctl.lab.own_labs import context_of

    return context_of(lab).call(partial(namespaces_of, lab))


def run(lab: str, namespace: str, command: Sequence[str], caller: Caller) -> int:
    """Run a command in a namespace, on the standard streams of this process, and send the caller a pidfd of it.

    Return its exit code, -N if signal N ended it.
    """
    import socket
    import subprocess

    from labctl.lab.execute import execute
    from labctl.lab.own_labs import context_of

    (started,) = caller.descriptors
    ended: list[int] = []

    def wait(process: subprocess.Popen[bytes]) -> int:
        with socket.socket(fileno=started) as line:
            pidfd = os.pidfd_open(process.pid)
            socket.send_fds(line, [b"started"], [pidfd])
            os.close(pidfd)
        ended.append(process.wait())
        return ended[0]

    def work() -> int:
        execute(lab, namespace, command, wait)
        return ended[0]

    return context_of(lab).call(work)
