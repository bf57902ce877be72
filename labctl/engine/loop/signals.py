"""Signals as a descriptor that becomes readable, like that of a packet.

A loop that waits for both cannot miss a signal between two waits. The interpreter's C handler writes to a socket
(signal.set_wakeup_fd).
"""

from __future__ import annotations

import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def stop_signals(*numbers: signal.Signals) -> Iterator[int]:
    """Yield a descriptor that becomes readable with the first of these signals; restore the old handlers at the end.

    They are restored for a second signal, too: a process that is stuck in a write, and so never looks at the
    descriptor, can still be ended. Raise ValueError outside of the main thread, the only one that handles signals.
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
