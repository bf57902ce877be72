"""The foreground process group of the terminal (tcsetpgrp(3)), which an interactive shell wants to be.

In a rootless environment it has to be a group of the environment's own PID namespace: the group of the command that
entered it is not visible in there, and a shell that cannot name its group ends with an error.
"""

from __future__ import annotations

import os
import signal
import sys

from labctl.process.signals import ignored


def take() -> None:
    """Make this process a process group of its own, in the foreground of its terminal if it has one."""
    if sys.stdin.isatty():
        os.setpgid(0, 0)
        give_back()


def give_back() -> None:
    """Bring the group of this process to the foreground again."""
    if not sys.stdin.isatty():
        return
    with ignored(signal.SIGTTOU):  # it stops a process that does this from the background
        os.tcsetpgrp(sys.stdin.fileno(), os.getpgrp())
