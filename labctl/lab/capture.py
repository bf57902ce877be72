"""Capture: the packets of interfaces of a lab, as they come."""

from __future__ import annotations

import errno
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol

from labctl.errors import KernelRefused, LabError, UsageError, kernel_words
from labctl.frozen import frozen
from labctl.kernel import namespaces
from labctl.kernel.packet_filter import compiled
from labctl.kernel.packet_taps import PacketTaps, Seen
from labctl.lab.carriers import Carriers
from labctl.lab.journal import Recorded
from labctl.lab.look import Portion, portion
from labctl.lab.names import meant
from labctl.lab.state import existing
from labctl.topology.interface_ref import InterfaceRef
from labctl.topology.unknown_names import no_such

TellLost = Callable[[LabError], object]
"""Called with why a host is not reached any more."""

LOOK = 0.5
"""Seconds between two looks whether the namespaces are still there."""


class Capture(Protocol):
    """The packets of some interfaces of a lab."""

    @property
    def lab(self) -> str: ...

    @property
    def words(self) -> str:
        """Return what is looked at."""

    @property
    def carriers(self) -> Carriers:
        """Return what is to be known of the interfaces."""

    def packets(self, stop: int, count: int | None, seconds: float | None, tell: TellLost) -> Iterator[Seen]:
        """Yield packets as they come: until the descriptor `stop` is readable, so many, or for so many seconds.

        Tell of a host that is lost, of a lab over several: those of the others still come. Raise LabError where an
        interface that was named, or the lab, goes away.
        """

    def missed(self) -> int:
        """Return how many packets came faster than they were read, and were not kept."""


@frozen
class CaptureHere:
    """Taps on interfaces of this machine."""

    lab: str
    words: str
    carriers: Carriers
    _recorded: Recorded
    _taps: PacketTaps

    def packets(self, stop: int, count: int | None, seconds: float | None, tell: TellLost) -> Iterator[Seen]:
        end = time.monotonic() + seconds if seconds is not None else float("inf")
        number, over = 0, False
        while not over:
            over = self._taps.wait(max(0, min(LOOK, end - time.monotonic())), stop) or time.monotonic() >= end
            for seen in self._taps.crossed() if over else self._taps.some():
                yield seen
                number += 1
                if number == count:
                    return
            if not over:
                self._check_there()

    def portion(self, seconds: float) -> Portion:
        """Return some packets as soon as there are any; none after so many seconds. Raise KernelRefused."""
        found = portion(self._taps, seconds)
        if not found.packets:
            self._check_there()
        return found

    def missed(self) -> int:
        return self._taps.missed()

    def _check_there(self) -> None:
        if not any(map(namespaces.taken, self._recorded.namespaces)):
            raise KernelRefused("there is nothing more to see", f"lab {self.lab} is gone", "labctl list")


@contextmanager
def capture(lab: str, typed: Sequence[str], expression: str | None = None) -> Iterator[CaptureHere]:
    """Yield a capture of interfaces NS:INTERFACE, of namespaces NS, or of the whole lab where nothing is typed.

    `expression` is a filter in the words of tcpdump. Raise UsageError where there is no such interface or namespace, or
    it is no filter, MachineError where filters cannot be compiled, KernelRefused where packets cannot be seen.
    """
    recorded = existing(lab).read()
    chosen = [_meant(lab, each, recorded) for each in typed]
    whole = [ref.namespace for ref in chosen if not ref.interface] if typed else list(recorded.namespaces)
    single = [ref for ref in chosen if ref.interface and ref.namespace not in whole]
    words = ", ".join((*whole, *map(str, single))) if typed else f"every interface of lab {lab}"
    program = compiled(expression) if expression else b""
    try:
        taps = PacketTaps(whole, single, program)
    except OSError as error:
        if error.errno == errno.ENODEV:
            namespace, device = InterfaceRef.typed(error.filename)
            what = f"{namespace} has no interface {device!r}"
            raise UsageError(what, "", "labctl status shows what it has") from None
        raise KernelRefused(f"the packets of {error.filename} cannot be seen", kernel_words(error)) from error
    with taps:
        yield CaptureHere(lab, words, Carriers.of(recorded), recorded, taps)


def _meant(lab: str, typed: str, recorded: Recorded) -> InterfaceRef:
    """Return what is meant; the interface is empty where a whole namespace is."""
    namespace, device = InterfaceRef.typed(typed)
    name = meant(lab, namespace, recorded.namespaces)
    if name and (device or ":" not in typed):
        return InterfaceRef(name, device)
    raise no_such(
        f"{typed!r} is no interface of lab {lab}",
        namespace,
        recorded.namespaces,
        among="write NAMESPACE:INTERFACE; its namespaces",
        hint="labctl status shows them",
        written=lambda near: f"{near}:{device or 'tun0'}" if ":" in typed else near,
    )
