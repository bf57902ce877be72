"""A command that another machine has run here by ssh ends with its session.

sshd tells a program of that only where it has a terminal (sshd(8), SIGHUP); else nothing reads any more what it prints,
which a program that prints nothing never learns.
"""

from __future__ import annotations

import os
import select
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from labctl.hosts.notes import NOTE
from labctl.rootless.context import this_machine

BY_ITSELF = 0.5
"""Seconds in which a program that writes notices that nothing reads any more."""


@contextmanager
def ending_with_session() -> Iterator[None]:
    """Have this process asked to end (SIGTERM) in the body once its session is gone, where another machine runs it."""
    if NOTE not in os.environ or os.isatty(sys.stdout.fileno()):
        yield
        return
    command = os.pidfd_open(os.getpid())
    watcher = this_machine().start(lambda: _end_with_reader(sys.stdout.fileno(), command))
    os.close(command)
    try:
        yield
    finally:
        with suppress(ProcessLookupError):
            os.kill(watcher.pid, signal.SIGKILL)
        watcher.wait()


def _end_with_reader(written: int, command: int) -> None:
    """Ask a process to end once nothing can be written to a pipe or a socket any more: POLLERR or POLLHUP (poll(2)).

    A program that writes ends by itself then, by SIGPIPE, and as that it is told to one who has closed a pipe alone.
    """
    reader = select.poll()
    reader.register(written, 0)
    reader.poll()
    if select.select([command], [], [], BY_ITSELF)[0]:
        return
    with suppress(ProcessLookupError):
        signal.pidfd_send_signal(command, signal.SIGTERM)
