"""One run of a command beside a program, with what it wrote: is the program ready?

It runs in a process group of its own, which is ended with it: what a command starts is not to stay.
"""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from pathlib import Path

from labctl.errors import kernel_words
from labctl.frozen import frozen
from labctl.kernel import view
from labctl.lab.programs.launch import Launch, launch
from labctl.lab.programs.supervisor import how_it_ended
from labctl.process.signals import fork

_QUOTED = 200
"""Characters of what a command wrote that are told."""


@frozen
class Ended:
    """How a command ended, and the last line that it wrote."""

    code: int
    said: str

    @property
    def succeeded(self) -> bool:
        return self.code == 0

    @property
    def words(self) -> str:
        return how_it_ended(self.code) + (f", its last line is {self.said!r}" if self.said else "")


class Attempt:
    """A command that runs in a namespace, as a program of it does."""

    def __init__(self, what: Launch, namespace: Path) -> None:
        self._output = os.memfd_create("attempt")
        parent = os.getpid()
        self._pid = fork()
        if self._pid == 0:
            try:
                _become(what, namespace, self._output, parent)
            finally:
                os._exit(127)

    def ended(self) -> Ended | None:
        """Return how it ended; None while it runs."""
        if os.waitid(os.P_PID, self._pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
            return None
        return Ended(self._end(), self._last_line())

    def close(self) -> None:
        """End it, and forget what it wrote."""
        if self._pid:
            self._end()
        os.close(self._output)

    def _end(self) -> int:
        """End it, with what it has started in its group. Return its exit code."""
        for end in (os.killpg, os.kill):  # it leads no group of its own yet where it was just forked
            with suppress(ProcessLookupError):
                end(self._pid, signal.SIGKILL)
        _, status = os.waitpid(self._pid, 0)
        self._pid = 0
        return os.waitstatus_to_exitcode(status)

    def _last_line(self) -> str:
        size = os.fstat(self._output).st_size
        written = os.pread(self._output, 1 << 12, max(0, size - (1 << 12))).decode(errors="replace").splitlines()
        last = next((line for line in reversed(written) if line.strip()), "")
        return "".join(char if char.isprintable() else "?" for char in last[:_QUOTED])


def _become(what: Launch, namespace: Path, output: int, parent: int) -> None:
    """Become the command, in this process just forked; where that fails, write why."""
    try:
        entered = os.open(namespace, os.O_RDONLY | os.O_CLOEXEC)
        view.enter(entered, namespace.name)
        nowhere = os.open("/dev/null", os.O_RDONLY)
        os.dup2(nowhere, 0)
        why, _ = launch(what, output, parent)
    except OSError as error:
        why = kernel_words(error)
    os.write(output, why.encode())
