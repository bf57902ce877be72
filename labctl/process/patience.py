"""Time-outs that do not count the time for which processes wait for a CPU.

A time-out is to say something about a network. On a busy machine time passes in which a process that has a packet to
forward does not run, and that time is not the network's. The kernel counts it for each thread, in /proc/PID/schedstat
(sched-stats in the kernel's documentation); a thread that waits at this moment is in state R of /proc/PID/stat. So a
`Patience` is over when its seconds have passed without those in which the processes concerned waited for a CPU, and
when none of them waits for one now. A thread that has had a CPU for all of these seconds has had as much as on an idle
machine: it has much to do, and is not waited for.

This process may be kept from running, too, and find the time over before it has looked even once. So there is always
one more look when the time is over: `looks`, `wait`.
"""

from __future__ import annotations

import select
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from labctl.process.proc import fields_of_stat

PAUSE = 0.01
"""Seconds between two looks."""

SHARE = 10_000_000
"""Nanoseconds on a CPU after which a process that still wants one is not waited for: an engine needs less."""

MOST = 30.0
"""Seconds that waiting for a CPU adds at most."""

_OURS = Path("/proc/thread-self")


class Patience:
    """Some seconds for processes and their descendants, without those in which they wait for a CPU."""

    def __init__(self, seconds: float, *processes: int) -> None:
        self._seconds, self._end = seconds, time.monotonic() + seconds
        self._processes = processes
        self._before = self._all_times()
        self._wanted: dict[Path, int] = {}

    def end(self) -> float:
        """Return when it is over, in seconds of time.monotonic, as far as that is known now."""
        return self._end + min(sum(waited for ran, waited in self._since() if ran < self._seconds), MOST)

    def waited(self) -> float:
        """Return the seconds for which the processes and this thread have waited for a CPU since, all together."""
        return sum(waited for _, waited in self._since())

    def spent(self) -> dict[Path, tuple[float, float]]:
        """Return the seconds for which each thread of the processes has had a CPU, and waited for one, in all."""
        return {thread: (ran / 1e9, waited / 1e9) for thread in self._threads() for ran, waited in [_times(thread)]}

    def left(self) -> float:
        """Return the seconds until it is over, as far as that is known now; 0 when they have passed."""
        return max(0.0, self.end() - time.monotonic())

    def over(self) -> bool:
        """Return whether the seconds have passed, and none of the processes waits for a CPU that it needs."""
        if self.left():
            return False
        # Since when each has wanted a CPU without a pause, by the time that it had had one.
        before, self._wanted = self._wanted, {}
        short = False
        for thread in self._threads():
            if _wants_to_run(thread):
                ran, _ = _times(thread)
                self._wanted[thread] = since = before.get(thread, ran)
                short |= ran - since < SHARE
        return not short or time.monotonic() > self._end + MOST

    def wait(self, ready: select.poll) -> bool:
        """Wait until a descriptor is ready or it is over. Return whether one is ready."""
        over = False
        while not ready.poll(0):
            if over:
                return False
            ready.poll(max(self.left(), PAUSE) * 1000)
            over = self.over()
        return True

    def arrivals(self, ready: select.poll) -> Iterator[None]:
        """Yield whenever a descriptor is ready, until it is over.

        Who sends without a pause always has something ready, and is listened to no longer than others.
        """
        while self.wait(ready):
            yield
            if time.monotonic() >= self._end and self.over():
                return

    def looks(self, pause: float = PAUSE) -> Iterator[None]:
        """Yield whenever it is time to look, every `pause` seconds, and a last time when it is over."""
        while not self.over():
            yield
            time.sleep(pause)
        yield

    def _threads(self) -> Iterator[Path]:
        processes = list(self._processes)
        for process in processes:  # children are appended on the way
            with suppress(OSError):  # it has ended
                for thread in Path(f"/proc/{process}/task").iterdir():
                    yield thread
                    with suppress(OSError):
                        processes += map(int, (thread / "children").read_text().split())

    def _all_times(self) -> dict[Path, tuple[int, int]]:
        return {thread: _times(thread) for thread in (_OURS, *self._threads())}

    def _since(self) -> Iterator[tuple[float, float]]:
        """Yield the seconds for which each thread has had a CPU, and waited for one, since this was made."""
        for thread, (ran, waited) in self._all_times().items():
            ran_before, waited_before = self._before.get(thread, (0, 0))
            yield (ran - ran_before) / 1e9, (waited - waited_before) / 1e9


def _times(thread: Path) -> tuple[int, int]:
    """Return the nanoseconds for which a thread had a CPU, and waited for one; 0 where the kernel does not count."""
    try:
        ran, waited, _ = map(int, (thread / "schedstat").read_text().split())
    except (OSError, ValueError):
        return 0, 0
    return ran, waited


def _wants_to_run(thread: Path) -> bool:
    """Return whether a thread waits for a CPU or for a disk, or runs."""
    try:
        return fields_of_stat(int(thread.name))[:1] in (["R"], ["D"])
    except OSError:
        return False


class PatienceFor(Protocol):
    """Makes a Patience for the engines of a lab and for other processes, by PID."""

    def __call__(self, seconds: float, /, *others: int) -> Patience: ...
