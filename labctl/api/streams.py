"""What goes on beside the program until it is ended: lines and events as they come, and a capture of packets."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar

from labctl.api.client import Call, client
from labctl.errors import LabError

if TYPE_CHECKING:
    from labctl.api.caller import Work
    from labctl.api.work.packets import Captured
    from labctl.kernel.packet_taps import Seen

Item = TypeVar("Item")


class Stream(Generic[Item]):
    """An iterator that waits for what comes next. It ends with its context manager, with `close`, or by itself.

    Another thread may close it: then it ends for the one that waits.
    """

    def __init__(self, work: Work[Any], *, tells_when_ready: bool = False) -> None:
        self._closed = False
        self._hearing = threading.RLock()
        self._call: Call = client().start(work)
        if tells_when_ready:
            _wait_until_ready(self._call)

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Item:
        with self._hearing:
            try:
                item: Item = next(self._call)
                return item
            except (KeyboardInterrupt, LabError):
                if self._closed:
                    raise StopIteration from None
                raise
            finally:
                if self._call.over:
                    self._call.close()

    def close(self) -> None:
        """End it."""
        self._closed = True
        if another_waits := not self._hearing.acquire(blocking=False):
            self._call.interrupt()
            self._hearing.acquire()
        try:
            self._call.over |= another_waits  # then one interrupt is enough
            self._call.__exit__()
        finally:
            self._hearing.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _wait_until_ready(call: Call) -> Any:
    """Wait for the first thing that is told. Raise what kept the work from that."""
    try:
        return next(call)
    except BaseException:
        call.__exit__()
        raise


class Capture:
    """Packets of a lab: seen from the beginning of the block, known at its end."""

    packets: Sequence[Seen] = ()
    """Those that were seen, in order, unless they are written to a file. `frame` of each has its bytes."""

    missed: int = 0
    """How many came faster than they could be read, and are missing."""

    lost: Sequence[LabError] = ()
    """Why hosts of a lab over several were not reached to the end: what passed there then was not seen."""

    interfaces: str = ""
    """What is looked at, in words."""

    def __init__(self, work: Work[Captured]) -> None:
        self._work = work

    def __enter__(self) -> Self:
        """Begin. Raise UsageError where there is no such interface, or the filter is none."""
        self._call = client().start(self._work)
        self.interfaces = _wait_until_ready(self._call)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End. Raise what ended it before, such as the end of the lab."""
        with self._call as call:
            call.hang_up()
            self.packets, self.missed, self.lost = call.result()
