"""Signals as a descriptor that becomes readable, like that of a packet.

A loop that waits for both cannot miss a signal between two waits. The interpreter's C handler writes their numbers to a
socket (signal.set_wakeup_fd).
"""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any


@contextmanager
def heard(*once: signal.Signals, again: Sequence[signal.Signals] = ()) -> Iterator[int]:
    """Yield a descriptor that becomes readable with each of these signals, and restore the old handlers at the end.

    Those of `once` are heard once: a second one does what it did before, so that a process that is stuck in a write,
    and never looks at the descriptor, can still be ended. Raise ValueError outside of the main thread, the only one
    that handles signals.
    """
    reader, writer = socket.socketpair()
    for end in (reader, writer):
        end.setblocking(False)
    before = {number: signal.getsignal(number) for number in (*once, *again)}
    for number in again:
        signal.signal(number, _nothing)
    for number in once:
        signal.signal(number, partial(_as_before, os.getpid(), before[number]))
    wakeup = signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
    try:
        yield reader.fileno()
    finally:
        signal.set_wakeup_fd(wakeup)
        for number, handler in before.items():
            signal.signal(number, handler)
        reader.close()
        writer.close()


def numbers_of(descriptor: int) -> set[int]:
    """Return the signals that came since the last call."""
    try:
        return set(os.read(descriptor, 1 << 12))
    except BlockingIOError:
        return set()


def _nothing(number: int, frame: object) -> None:
    """Do nothing in Python: the number has been written by then."""


def _as_before(listener: int, handler: Callable[..., Any] | int | None, number: int, _: object) -> None:
    """Have the next such signal do what it did before."""
    if os.getpid() == listener:
        signal.signal(number, handler)
    else:  # just forked from the one that listens: what that one had begun is not for this process to unwind
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
