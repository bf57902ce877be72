"""Whose the terminal is (tcsetpgrp(3)): an interactive shell wants to be the foreground process group of its terminal.

In a room that has to be a group of the room's own PID namespace. The group of the command that entered it is not
visible in there, and a shell that cannot name it ends with an error of its own.
"""

from __future__ import annotations

import os
import signal
import sys


def take() -> None:
    """Make this process a group of its own, in the foreground of its terminal if it has one."""
    if sys.stdin.isatty():
        os.setpgid(0, 0)
        give_back()


def give_back() -> None:
    """Bring our own group to the foreground again."""
    if not sys.stdin.isatty():
        return
    # Whoever sets this from the background is stopped by SIGTTOU, unless it is ignored.
    before = signal.signal(signal.SIGTTOU, signal.SIG_IGN)
    try:
        os.tcsetpgrp(sys.stdin.fileno(), os.getpgrp())
    finally:
        signal.signal(signal.SIGTTOU, before)
