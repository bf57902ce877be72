"""A process that waits until another ends, and then takes down what that has made, where no holder does.

It runs a command of its own from the beginning, in a session of its own: Ctrl-C, and a signal to the process group of
its maker, are not for it.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence
from contextlib import suppress

from labctl.errors import kernel_errors_as


class Guardian:
    """The process, as its maker knows it."""

    def __init__(self, command: Sequence[str]) -> None:
        with kernel_errors_as("the process that takes the lab down in the end could not be started"):
            self._pid = os.posix_spawn(command[0], tuple(command), os.environ, setsid=True)
            self._pidfd = os.pidfd_open(self._pid)

    def dismiss(self) -> None:
        """End it: there is nothing to take down any more."""
        with suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)
        os.close(self._pidfd)
        with suppress(ChildProcessError):  # a caller that ignores SIGCHLD has no children to wait for
            os.waitpid(self._pid, 0)
