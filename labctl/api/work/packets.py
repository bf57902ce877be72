"""Work that looks at packets: trace, capture; and what a host sees of them, for a lab over several."""

from __future__ import annotations

import select
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from labctl.api.caller import Caller, answer
from labctl.process.child import ChildEnded, Tell
from labctl.process.signals import ENDING, KEYBOARD, ignored

if TYPE_CHECKING:
    from labctl.errors import LabError
    from labctl.kernel.packet_taps import Seen
    from labctl.lab.capture import Capture
    from labctl.lab.traced import Traced

Show = Callable[[Callable[[], "Traced"]], int]
"""Has something traced, and shows what was found. Returns the exit code of the command."""

Use = Callable[["Capture", int], object]
"""Takes the packets of a capture, until it has enough or the descriptor is readable."""


def trace_command(lab: str, namespace: str, command: Sequence[str], caller: Caller) -> Traced:
    """Run a command in a namespace, on the standard streams of this process, and follow its packets."""
    from labctl.engine.loop.signals import heard
    from labctl.lab.own_labs import context_of
    from labctl.lab.trace import trace_command as traced

    def work() -> Traced:
        with heard(signal.SIGTERM) as stop:
            return traced(lab, namespace, command, False, stop)

    return context_of(lab).call(work)


def show_trace(lab: str, namespace: str, command: Sequence[str], to_stderr: bool, show: Show) -> int:
    """Run a command that a person has typed, and show what became of its packets. Return its exit code.

    What asks this process to end asks the command, and not the trace: what was seen is told.
    """
    from labctl.engine.loop.signals import heard
    from labctl.lab.own_labs import context_of
    from labctl.lab.trace import trace_command as traced

    def work() -> int:
        with heard(again=ENDING) as stop, ignored(*KEYBOARD):
            return show(lambda: traced(lab, namespace, command, to_stderr, stop))

    return context_of(lab).hand_over(work)


def trace_check(lab: str, check: str, caller: Caller) -> Traced:
    """Run a check, tell its result, and follow its packets."""
    from labctl.checks.probes import Probes
    from labctl.lab.own_labs import context_of
    from labctl.lab.trace import trace_check as traced

    return context_of(lab).follow(lambda tell: traced(lab, check, Probes, tell), caller.tell)


class Captured(NamedTuple):
    """What a capture has seen at its end: the packets, unless they are in a file, and how many are missing."""

    packets: tuple[Seen, ...]
    missed: int
    lost: tuple[LabError, ...]  # why hosts of a lab over several were not reached to the end


def capture(
    lab: str,
    typed: Sequence[str],
    expression: str | None,
    file: str | None,
    count: int | None,
    seconds: float | None,
    caller: Caller,
) -> Captured:
    """See packets until the caller says nothing any more, and tell what is looked at once it is."""
    from labctl.lab.capture import capture as capturing
    from labctl.lab.own_labs import context_of

    def work(tell: Tell) -> Captured:
        with capturing(lab, typed, expression) as captured:
            return taken(captured, file, caller.line, count, seconds, tell)

    return context_of(lab).follow(work, caller.tell)


def taken(
    captured: Capture, file: str | None, stop: int, count: int | None, seconds: float | None, tell: Tell
) -> Captured:
    """Tell what is looked at, and take its packets: into a file, where one is named."""
    kept: list[Seen] = []
    lost: list[LabError] = []
    with written(captured, file) if file is not None else _kept(kept) as write:
        tell(captured.words)
        for seen in captured.packets(stop, count, seconds, lost.append):
            write(seen)
        return Captured(tuple(kept), captured.missed(), tuple(lost))


def show_capture(lab: str, typed: Sequence[str], expression: str | None, use: Use) -> None:
    """Have packets shown to a person, until Ctrl-C."""
    from labctl.engine.loop.signals import heard
    from labctl.errors import KernelRefused
    from labctl.lab.capture import capture as capturing
    from labctl.lab.own_labs import context_of

    def work() -> None:
        with capturing(lab, typed, expression) as captured:
            use(captured, stop)

    with heard(signal.SIGINT, signal.SIGTERM) as stop:
        child = context_of(lab).start(work)
        try:
            child.result()
        except ChildEnded:
            if select.select([stop], [], [], 0)[0]:  # timeout(1) sends SIGTERM to every process of the command
                return
            raise KernelRefused("there is nothing more to see", f"lab {lab} has ended", "labctl list") from None
        child.wait()


@contextmanager
def written(captured: Capture, file: str) -> Iterator[Callable[[Seen], object]]:
    """Yield what writes a packet to a pcapng file, with a comment on what it carries."""
    from labctl.report import packets
    from labctl.report.capture_file import capture_file, created

    ports = captured.carriers.tunnel_ports
    with created(file) as write:
        writer = capture_file(file, write, captured.lab, captured.carriers)
        yield lambda seen: writer.packet(seen, packets.comment(seen, ports))


@contextmanager
def _kept(kept: list[Seen]) -> Iterator[Callable[[Seen], object]]:
    yield kept.append


def look(lab: str, caller: Caller) -> None:
    """Look at all packets of what is here of a lab, and answer questions about them (lab.look.Look).

    Tell which connections are there, and of the interfaces; hear which of the whole lab are left out; tell once it is
    looked.
    """
    from labctl.lab.carriers import Carriers
    from labctl.lab.look import Look
    from labctl.lab.own_labs import context_of
    from labctl.lab.state import existing
    from labctl.lab.trace import connections, tapped

    def work(tell: Tell) -> None:
        state = existing(lab)
        tell((connections(state), Carriers.of(state.read())))
        older = caller.hear()
        with tapped(state, older) as taps:
            tell(None)
            answer(Look(state, taps), caller.hear, tell)

    context_of(lab).follow(work, caller.tell)


def look_at(lab: str, typed: Sequence[str], expression: str | None, caller: Caller) -> None:
    """Look at what is here of a lab, or at what is typed of that, and answer questions (lab.capture.CaptureHere).

    Tell of the interfaces once it is looked.
    """
    from labctl.lab.capture import capture as capturing
    from labctl.lab.own_labs import context_of

    def work(tell: Tell) -> None:
        with capturing(lab, typed, expression) as captured:
            tell((captured.words, captured.carriers))
            answer(captured, caller.hear, tell)

    context_of(lab).follow(work, caller.tell)
