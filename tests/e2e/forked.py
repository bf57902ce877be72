"""A command of labctl in a fork of a process that has loaded it: it is loaded once, and not a thousand times.

It is the command as it is executed otherwise, from its entry point to its exit code, with streams, environment,
directory, signals and rights of its own. So are the processes that it starts to fork engines, and to work for labs.
What it is to do goes to the process that forks it (forkserver.py) as data, in which a function is its name. With
LABCTL_TEST_EXECUTED=1 each command is executed after all, for what only that can show: a module that is loaded where
its file is no longer to be seen.
"""

from __future__ import annotations

import os
import pickle
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

from tests.e2e.forkserver import Command, begun
from tests.e2e.processes import started

EXECUTED = bool(os.environ.get("LABCTL_TEST_EXECUTED"))


class Process(subprocess.Popen[str]):
    """A process that calls `main`, as if it were a program with these words that has just been executed.

    `become` is called first, as `preexec_fn` would be: when the process is returned, that has been done.
    """

    def __init__(
        self,
        main: Callable[[], None],
        words: Sequence[str],
        environment: Mapping[str, str],
        become: Callable[[], None],
        *,
        start_new_session: bool = False,
        **streams: Any,
    ) -> None:
        self._command = Command(become, main, words, environment, start_new_session)
        super().__init__(list(words), text=True, **streams)

    def _execute_child(self, *arguments: Any) -> None:
        """Have it forked: what subprocess calls once the pipes are made."""
        streams, pipes, _ = begun(super()._execute_child, arguments)  # type: ignore[misc]
        reader, writer = os.pipe()
        with open(reader) as told:
            with open(writer, "wb"), suppress(ConnectionError):
                socket.send_fds(_forkserver(os.getpid()), [pickle.dumps(self._command)], [*streams, writer])
            pid = told.read()
        if not pid:
            raise RuntimeError("the process that forks commands of tests has ended (tests/e2e/forkserver.py)")
        self.pid, self._child_created = int(pid), True
        self._close_pipe_fds(*pipes)  # type: ignore[attr-defined]


@cache
def _forkserver(_: int) -> socket.socket:
    """Return where the process listens that forks commands for this one, which has this PID."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        # -P: its commands find no module in the directory that each of them is in.
        command = [sys.executable, "-P", "-c", f"from tests.e2e.forkserver import serve; serve({theirs.fileno()})"]
        repository = str(Path(__file__).resolve().parents[2])
        environment = {**os.environ, "PYTHONPATH": repository, "PYTHONDONTWRITEBYTECODE": "1"}
        started(subprocess.Popen(command, pass_fds=[theirs.fileno()], env=environment, text=True))
    return ours
