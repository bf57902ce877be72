"""A timer that an epoll loop can wait for (timerfd_create(2)), which Python has only from 3.13 on.

The time-out of epoll itself counts milliseconds: too coarse for a rate or a delay that is given in microseconds.
"""

from __future__ import annotations

import ctypes
import os
import struct
from contextlib import suppress

_CLOCK_MONOTONIC, _TFD_CLOEXEC_NONBLOCK, _TFD_TIMER_ABSTIME = 1, 0o2000000 | 0o4000, 1
_ITIMERSPEC = struct.Struct("=qqqq")
_libc = ctypes.CDLL(None, use_errno=True)


class Timer:
    """Becomes readable at a given time of time.monotonic."""

    def __init__(self) -> None:
        self._fd: int = _libc.timerfd_create(_CLOCK_MONOTONIC, _TFD_CLOEXEC_NONBLOCK)
        if self._fd < 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
        self._armed: float | None = None

    def fileno(self) -> int:
        """Return the descriptor that is readable once the timer has expired."""
        return self._fd

    def close(self) -> None:
        """Close the descriptor."""
        os.close(self._fd)

    def arm(self, when: float | None) -> None:
        """Expire at `when`, which may be past, and at no other time; never, if None. Raise OSError if refused."""
        if when == self._armed:
            return
        self._armed = when
        nanoseconds = 0 if when is None else max(1, int(when * 1e9))  # 0 would disarm it
        spec = _ITIMERSPEC.pack(0, 0, *divmod(nanoseconds, 10**9))
        if _libc.timerfd_settime(self._fd, _TFD_TIMER_ABSTIME, spec, None) < 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))

    def acknowledge(self) -> None:
        """Read the expiration, so that the descriptor is not readable any more."""
        self._armed = None
        with suppress(BlockingIOError):
            os.read(self._fd, 8)
