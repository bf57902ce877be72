"""A signal that becomes readable, like a packet: who waits for both cannot miss one between two waits.

The interpreter's C handler writes it to a socket, see signal.set_wakeup_fd.
"""

from __future__ import annotations

import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def stop_signals(*numbers: signal.Signals) -> Iterator[int]:
    """Give a descriptor that becomes readable with one of these signals; the old handlers return at the end.

    They return for a second signal, too: who does not look at the descriptor, because nobody takes what he writes, can
    still be ended.
    Only the main thread may do this (ValueError otherwise): it is the one that signals come to.
    """
    reader, writer = socket.socketpair()
    reader.setblocking(False)
    writer.setblocking(False)
    before = {int(number): signal.getsignal(number) for number in numbers}
    for number in before:
        signal.signal(number, lambda number, _: signal.signal(number, before[number]))
    wakeup = signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
    try:
        yield reader.fileno()
    finally:
        signal.set_wakeup_fd(wakeup)
        for number, handler in before.items():
            signal.signal(number, handler)
        reader.close()
        writer.close()
