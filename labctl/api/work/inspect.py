"""Work that looks into a lab, and runs something inside: running, list, status, logs, events, graph, run."""

from __future__ import annotations

import os
import socket
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from labctl.api.caller import Caller
from labctl.process.child import Tell

if TYPE_CHECKING:
    import subprocess

    from labctl.lab.names import Names
    from labctl.lab.status import Status, Summary


def running(caller: Caller) -> tuple[str, ...]:
    """Look which labs run."""
    from labctl.lab.own_labs import own_labs

    return tuple(own_labs())


def summaries(caller: Caller) -> tuple[Summary, ...]:
    """Return one line about each lab that runs."""
    from labctl.hosts.context import OverHosts
    from labctl.lab.own_labs import own_labs
    from labctl.lab.status import summary, summary_over_hosts

    return tuple(
        summary_over_hosts(context.record)
        if isinstance(context, OverHosts)
        else context.call(partial(summary, lab, context.mode))
        for lab, context in own_labs().items()
    )


def names(lab: str, caller: Caller) -> Names:
    """Read the names inside a lab."""
    from labctl.hosts.context import OverHosts
    from labctl.lab.names import names as names_of
    from labctl.lab.names import names_over_hosts
    from labctl.lab.own_labs import context_of

    context = context_of(lab)
    if isinstance(context, OverHosts):
        return names_over_hosts(context.record)
    return context.call(partial(names_of, lab))


def status(lab: str, caller: Caller) -> Status:
    """Look what is there of a lab."""
    from labctl.hosts.context import OverHosts
    from labctl.lab.own_labs import context_of
    from labctl.lab.status import status as status_of

    context = context_of(lab)
    if isinstance(context, OverHosts):
        from labctl.api.over_hosts.status import status as status_over_hosts

        return status_over_hosts(context.record)
    return context.call(partial(status_of, lab))


def logs(lab: str, named: Sequence[str], follow: bool, caller: Caller) -> None:
    """Tell the lines that engines and programs of a lab wrote; with `follow` until this is interrupted."""
    from labctl.hosts.context import OverHosts
    from labctl.lab.engines.logs import lines
    from labctl.lab.own_labs import context_of

    def work(tell: Tell) -> None:
        for line in lines(lab, named, follow):
            tell(line)

    context = context_of(lab)
    if isinstance(context, OverHosts):
        from labctl.api.over_hosts.there import logs as logs_there

        return logs_there(context, named, follow, caller)
    context.follow(work, caller.tell)


def events(lab: str, verify: bool, caller: Caller) -> None:
    """Tell what happens in a lab, each with its time; None at first, once it is looked at."""
    from labctl.hosts.record import recorded
    from labctl.lab.live.watch import Watch
    from labctl.lab.live.watchers import CHECKS, LOOKS

    if (record := recorded(lab)) is not None:
        from labctl.api.over_hosts.there import events as events_there

        return events_there(record, verify, caller)
    with Watch(lab, {**LOOKS, **(CHECKS if verify else {})}) as watch:
        early: list[object] = []
        looked_at = False
        for moment in watch.moments():
            early += moment.events
            if not looked_at and moment.state.drift is not None:
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
    from labctl.hosts.context import OverHosts
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

    context = context_of(lab)
    if isinstance(context, OverHosts):
        from labctl.hosts.command import Streams

        context.run(namespace, ["exec", namespace, "--", *command], Streams(wait))
        return ended[0]
    return context.call(work)
