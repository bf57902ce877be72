"""For how long the kernel kept this thread waiting: time in which it neither ran nor was ready to run."""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path


class Blocked:
    """A stop watch of one thread, in seconds, which adds up over its uses as a context.

    What a busy machine takes is not counted: the kernel tells for how long a thread waited for a CPU, in the second
    number of /proc/thread-self/schedstat (sched-stats in the kernel's documentation).
    """

    def __init__(self) -> None:
        self.seconds = 0.0

    def __enter__(self) -> None:
        self._began = _apart_from_cpus()

    def __exit__(self, *_: object) -> None:
        self.seconds += _apart_from_cpus() - self._began


def _apart_from_cpus() -> float:
    waited = 0
    with suppress(OSError):
        waited = int(Path("/proc/thread-self/schedstat").read_bytes().split()[1])
    return time.monotonic() - time.thread_time() - waited / 1e9
