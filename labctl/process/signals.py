"""The signals that ask a command to end: Ctrl-C, kill(1), and the terminal that goes away."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager

ASKED_TO_END = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def ignore_termination() -> None:
    """Be deaf to them from now on: what is left to do is short, and half of it would be worse than all or nothing."""
    for number in ASKED_TO_END:
        signal.signal(number, signal.SIG_IGN)


@contextmanager
def block_signals() -> Iterator[Callable[[], None]]:
    """Let them wait until the end of the body, or until it calls what it is given: when somebody can take back."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ASKED_TO_END)

    def unblock() -> None:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)

    try:
        yield unblock
    finally:
        unblock()


def fork() -> int:
    """os.fork, and nobody is asked to end amidst what Python does around it: there the exception would be lost."""
    with block_signals():
        return os.fork()
