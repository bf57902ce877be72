"""The signals that end a command: Ctrl-C, kill(1), and a terminal that is closed; ignored or delayed for a while."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

TERMINATION = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""The signals that ask a process to end."""

KEYBOARD = (signal.SIGINT, signal.SIGQUIT)
"""The signals that a terminal sends to every process in its foreground: Ctrl-C and Ctrl-\\."""


@contextmanager
def ignored(*numbers: signal.Signals) -> Iterator[None]:
    """Ignore signals in the body; those that come meanwhile are lost."""
    before = {number: signal.getsignal(number) for number in numbers}
    try:
        for number in numbers:
            signal.signal(number, signal.SIG_IGN)
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def beside_terminal() -> None:
    """Have this process, just forked, end at once by a signal, and not hear those of the keyboard: its parent does."""
    for number in KEYBOARD:
        signal.signal(number, signal.SIG_IGN)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


@contextmanager
def block_signals() -> Iterator[Callable[[], None]]:
    """Delay TERMINATION until the end of the body, or until it calls the function that is yielded."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, TERMINATION)

    def unblock() -> None:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)

    try:
        yield unblock
    finally:
        unblock()


@contextmanager
def heard(*numbers: signal.Signals) -> Iterator[int]:
    """Yield a descriptor that becomes readable with each of these signals; `numbers_of` reads which they were.

    Those of TERMINATION are heard once: the second one ends a process that is stuck, as it would without this.
    """
    reader, writer = socket.socketpair()
    for end in (reader, writer):
        end.setblocking(False)
    before = {number: signal.getsignal(number) for number in numbers}
    for number, handler in before.items():
        signal.signal(number, partial(_once, os.getpid(), handler) if number in TERMINATION else lambda *_: None)
    wakeup = signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
    try:
        yield reader.fileno()
    finally:
        signal.set_wakeup_fd(wakeup)
        for number, handler in before.items():
            signal.signal(number, handler)
        reader.close()
        writer.close()


def _once(listener: int, handler: Any, number: int, _: object) -> None:
    if os.getpid() == listener:
        signal.signal(number, handler)
    else:  # it has just been forked from the one that listens: what that one had begun is not for it to unwind
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)


def numbers_of(descriptor: int) -> set[int]:
    """Return the signals that came since the last call."""
    try:
        return set(os.read(descriptor, 1 << 12))
    except BlockingIOError:
        return set()


def fork() -> int:
    """Return what os.fork does. An exception that a signal raises amidst Python's own hooks around it would be lost.

    The child does not write its signals to the descriptor on which its parent hears its own.
    """
    with block_signals():
        if pid := os.fork():
            return pid
        signal.set_wakeup_fd(-1)
        return 0
