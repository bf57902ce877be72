"""Work that looks at packets: trace, capture."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from labctl.api.caller import Caller
from labctl.process.child import Tell

if TYPE_CHECKING:
    from labctl.kernel.packet_taps import Seen
    from labctl.lab.capture import Capture
    from labctl.lab.trace import Traced


def trace_command(lab: str, namespace: str, command: Sequence[str], to_stderr: bool, caller: Caller) -> Traced:
    """Run a command in a namespace, on the standard streams of this process, and follow its packets."""
    from labctl.engine.loop.signals import heard
    from labctl.lab.own_labs import context_of
    from labctl.lab.trace import trace_command as traced

    def work() -> Traced:
        with heard(signal.SIGTERM) as stop:
            return traced(lab, namespace, command, to_stderr, stop)

    return context_of(lab).call(work)


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


def capture(
    lab: str,
    typed: Sequence[str],
    expression: str | None,
    file: str | None,
    count: int | None,
    seconds: float | None,
    caller: Caller,
) -> Captured:
    """See packets until this is interrupted, and tell what is looked at once it is."""
    from labctl.engine.loop.signals import heard
    from labctl.lab.capture import capture as capturing
    from labctl.lab.own_labs import context_of

    def work(tell: Tell) -> Captured:
        kept: list[Seen] = []
        with (
            heard(signal.SIGINT, signal.SIGTERM) as stop,
            capturing(lab, typed, expression) as captured,
            written(captured, file) if file is not None else _kept(kept) as write,
        ):
            tell(captured.words)
            for seen in captured.packets(stop, count, seconds):
                write(seen)
            return Captured(tuple(kept), captured.missed())

    return context_of(lab).follow(work, caller.tell)


@contextmanager
def written(captured: Capture, file: str) -> Iterator[Callable[[Seen], object]]:
    """Yield what writes a packet to a pcapng file, with a comment on what it carries."""
    from labctl.report import packets
    from labctl.report.capture_file import capture_file, created

    with created(file) as write:
        writer = capture_file(file, write, captured.lab, captured.describe, captured.tunnel_ports)
        yield lambda seen: writer.packet(seen, packets.comment(seen, captured.tunnel_ports))


@contextmanager
def _kept(kept: list[Seen]) -> Iterator[Callable[[Seen], object]]:
    yield kept.append
