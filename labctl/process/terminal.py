"""The terminal: who is in its foreground, whether it can be drawn on, and keys that are read one by one.

An interactive shell wants to be the foreground process group (tcsetpgrp(3)).
In a rootless environment it has to be a group of the environment's own PID namespace: the group of the command that
entered it is not visible in there, and a shell that cannot name its group ends with an error.
"""

from __future__ import annotations

import os
import signal
import sys
import termios
import tty
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from labctl.errors import UsageError
from labctl.process.signals import ignored

_ONLY_LINES = ("dumb", "unknown")
"""Terminals whose cursor cannot be moved (terminfo(5)): rich draws nothing on them."""


def refuse_without_screen(command: str, instead: str) -> None:
    """Raise UsageError where standard output is no terminal, or one whose cursor cannot be moved."""
    what = f"{command} draws on a terminal"
    if not sys.stdout.isatty():
        raise UsageError(what, "standard output is none", instead)
    if (kind := os.environ.get("TERM", "")) in _ONLY_LINES:
        raise UsageError(what, f"TERM={kind} has lines only", instead)


def is_behind() -> bool:
    """Return whether others are in the foreground of our terminal: reading it, or setting it, would stop us."""
    return _is_of_this_session() and os.tcgetpgrp(sys.stdin.fileno()) != os.getpgrp()


def take() -> None:
    """Make this process a process group of its own, in the foreground of its terminal if it has one."""
    if _is_of_this_session():
        os.setpgid(0, 0)
        give_back()


def give_back() -> None:
    """Bring the group of this process to the foreground again."""
    if not _is_of_this_session():
        return
    with ignored(signal.SIGTTOU):  # it stops a process that does this from the background
        os.tcsetpgrp(sys.stdin.fileno(), os.getpgrp())


def _is_of_this_session() -> bool:
    """Return whether standard input is a terminal with a foreground for this process: not in a new session (su -c)."""
    try:
        return sys.stdin.isatty() and os.tcgetpgrp(sys.stdin.fileno()) >= 0
    except OSError:
        return False


def suspend() -> None:
    """Stop this process until it is continued, as Ctrl-Z does where it is no key of our own.

    The kernel does not where no shell could continue it: its process group is orphaned (setpgid(2)).
    """
    ours = signal.signal(signal.SIGTSTP, signal.SIG_DFL)
    os.kill(os.getpid(), signal.SIGTSTP)
    signal.signal(signal.SIGTSTP, ours)


@contextmanager
def keys() -> Iterator[int | None]:
    """Yield a descriptor from which each key can be read as it is typed, unseen; None where there is no terminal.

    Ctrl-C and Ctrl-Z stay signals (termios(3), ISIG).
    """
    if not sys.stdin.isatty():
        yield None
        return
    terminal = sys.stdin.fileno()
    before = termios.tcgetattr(terminal)
    try:
        tty.setcbreak(terminal)
        yield terminal
    finally:
        with suppress(termios.error):  # it was hung up
            termios.tcsetattr(terminal, termios.TCSADRAIN, before)
