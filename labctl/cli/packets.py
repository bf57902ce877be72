"""Commands that show packets: trace, those of a command or a check; capture, those of interfaces."""

from __future__ import annotations

import select
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from functools import partial
from typing import TYPE_CHECKING

import click

from labctl.cli import completion
from labctl.cli.base import SECONDS, cli, format_option, lab_option
from labctl.cli.labs import lab_of
from labctl.errors import ExitCode, KernelRefused, UsageError, kernel_words
from labctl.process.signals import KEYBOARD, ignored, passed_on
from labctl.report.reporter import reporter

if TYPE_CHECKING:
    from labctl.hosts.record import Record
    from labctl.kernel.packet_taps import Seen
    from labctl.lab.capture import Capture
    from labctl.lab.trace import Traced

ENDING = (signal.SIGTERM, signal.SIGHUP)
"""What ends the command that is traced, and not the trace: what was seen is told."""


@cli.command(context_settings={"ignore_unknown_options": True})
@click.argument(
    "words",
    nargs=-1,
    type=click.UNPROCESSED,
    metavar="[LAB] NS -- CMD... | [LAB] CHECK",
    shell_complete=completion.traceable,
)
@click.option("--count", type=click.IntRange(min=0), default=20, help="Show so many packets; 20 by default.")
@click.option("--pcapng", "file", metavar="FILE", help="Write all that was seen to a file, with what became of it.")
@lab_option
@format_option
def trace(words: tuple[str, ...], count: int, file: str | None, lab: str | None, form: str) -> int:
    """Follow each packet of a command or a check through all interfaces and engines. Its exit code is ours."""
    from labctl.engine.loop.signals import heard
    from labctl.lab.own_labs import context_of
    from labctl.lab.trace import trace_command
    from labctl.process.child import ChildEnded
    from labctl.report.capture_file import STANDARD_OUTPUT, created
    from labctl.report.traced_file import write

    if file == STANDARD_OUTPUT:
        raise click.UsageError("standard output has the ladders: name a file")
    own, left = lab_of(words, lab) if words else (None, ())
    if own is None or not left:
        raise click.UsageError("a command or a check is needed, as in: labctl trace siteA -- ping -c1 10.0.102.1")
    report = reporter(form)

    def told(follow: Callable[[], Traced]) -> int:
        with created(file) if file is not None else nullcontext() as out:
            found = follow()
            report.trace(found, count)
            if file is not None and out is not None:
                write(file, out, found)
        return found.exit_code

    if len(left) == 1:
        return told(lambda: own.trace(left[0], notify=partial(report.check, whole=False)))

    def command() -> int:
        with heard(again=ENDING) as stop:
            return told(lambda: trace_command(own.name, left[0], left[1:], form == "json", stop))

    child = context_of(own.name).start(command)
    try:
        with passed_on(child.pid, ENDING), ignored(*KEYBOARD):
            code: int = child.result()
            child.wait()
    except ChildEnded:
        raise KernelRefused("the trace was cut off", f"lab {own.name} has ended", "labctl list") from None
    return code


@cli.command()
@click.argument("words", nargs=-1, metavar="[LAB] [NS[:INTERFACE]]...", shell_complete=completion.tapped)
@click.option("-c", "--count", type=click.IntRange(min=1), help="End after so many packets; else Ctrl-C ends it.")
@click.option("--duration", type=SECONDS, metavar="SECONDS", help="End after so many seconds.")
@click.option("--filter", "expression", metavar="EXPR", help="Only these, in the words of tcpdump: 'icmp or arp'.")
@click.option(
    "-w",
    "--write",
    "file",
    type=click.Path(),
    help="Write a pcapng file, whatever its name; - for `| wireshark -k -i -`.",
)
@lab_option
@format_option
def capture(
    words: tuple[str, ...],
    count: int | None,
    duration: float | None,
    expression: str | None,
    file: str | None,
    lab: str | None,
    form: str,
) -> int:
    """Show packets as they come, or write them for Wireshark: of interfaces, of namespaces, or of the whole lab."""
    from labctl.engine.loop.signals import heard
    from labctl.hosts.record import recorded
    from labctl.lab.capture import capture as capturing
    from labctl.lab.own_labs import context_of
    from labctl.process.child import ChildEnded

    own, typed = lab_of(words, lab)
    if record := recorded(own.name):
        options = {"--count": count, "--duration": duration, "--filter": expression, "--format": form}
        return _capture_there(record, typed, options, file)

    def work(stop: int) -> None:
        with capturing(own.name, typed, expression) as captured, _output(captured, file, typed, form) as show:
            click.echo(f"watching {captured.words}; Ctrl-C ends", err=True)
            if file is not None and captured.tunnel_ports:
                from labctl.report.capture_file import how_to_read

                click.echo(f"the packets inside of tunnels: {how_to_read(file, captured.tunnel_ports)}", err=True)
            for seen in captured.packets(stop, count, duration):
                show(seen)
            if missed := captured.missed():
                click.echo(f"{missed} packets came faster than they could be shown, and are missing", err=True)

    with heard(signal.SIGINT, signal.SIGTERM) as stop:
        child = context_of(own.name).start(partial(work, stop))
        try:
            child.result()
        except ChildEnded:
            if select.select([stop], [], [], 0)[0]:  # timeout(1) sends SIGTERM to every process of the command
                return ExitCode.SUCCESS
            raise KernelRefused("there is nothing more to see", f"lab {own.name} has ended", "labctl list") from None
        child.wait()
    return ExitCode.SUCCESS


def _capture_there(record: Record, typed: Sequence[str], options: Mapping[str, object | None], file: str | None) -> int:
    """Have the host capture on which the namespaces are; the file is written here. Return its exit code."""
    from labctl.api.over_hosts.there import labctl
    from labctl.hosts.command import Streams
    from labctl.report.capture_file import STANDARD_OUTPUT
    from labctl.topology.interface_ref import InterfaceRef

    spaces = [InterfaceRef.typed(word).namespace for word in typed]
    if not spaces or record.host_of_all(spaces) is None:
        raise UsageError(
            "packets of several hosts are not captured at once yet",
            f"lab {record.lab} is on {', '.join(record.hosts)}",
            "name namespaces of one host, as labctl status shows them",
        )
    asked = [f"{name}={value}" for name, value in options.items() if value is not None]
    words = ["capture", *typed, *asked]
    if file in (None, STANDARD_OUTPUT):
        return labctl(record, spaces[0], [*words, *(["-w", STANDARD_OUTPUT] if file else [])])
    try:
        out = open(file, "wb")  # noqa: SIM115  # below
    except OSError as error:
        raise UsageError(f"{file} cannot be written", kernel_words(error)) from None
    with out:
        return labctl(record, spaces[0], [*words, "-w", STANDARD_OUTPUT], Streams(output=out.fileno()))


@contextmanager
def _output(captured: Capture, file: str | None, typed: Sequence[str], form: str) -> Iterator[Callable[[Seen], object]]:
    """Yield what writes a packet: as a line, or to a file with a comment on what it carries."""
    from labctl.report import packets

    ports = captured.tunnel_ports
    if file is None and form == "json":
        yield lambda seen: click.echo(packets.json_line(seen, ports))
        return
    if file is None:
        several = len(typed) != 1 or ":" not in typed[0]
        yield lambda seen: click.echo(packets.line(seen, ports, several))
        return
    from labctl.api.work.packets import written

    with written(captured, file) as write:
        yield write
