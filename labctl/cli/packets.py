"""Commands that show packets: trace, those of a command or a check; capture, those of interfaces."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from functools import partial
from typing import TYPE_CHECKING

import click

from labctl.cli import completion
from labctl.cli.base import SECONDS, cli, format_option, lab_option
from labctl.cli.labs import lab_of
from labctl.errors import ExitCode
from labctl.report.reporter import reporter

if TYPE_CHECKING:
    from labctl.errors import LabError
    from labctl.kernel.packet_taps import Seen
    from labctl.lab.capture import Capture
    from labctl.lab.traced import Traced


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
    from labctl.api.calls import packets
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

    return packets.show_trace(own.name, left[0], left[1:], form == "json", told)


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
    from labctl.api.calls import packets

    own, typed = lab_of(words, lab)

    lost: list[LabError] = []

    def lose(error: LabError) -> None:
        click.echo(f"{error.what} any more ({error.why}): what passes there is not seen", err=True)
        lost.append(error)

    def use(captured: Capture, stop: int) -> None:
        with _output(captured, file, typed, form) as show:
            click.echo(f"watching {captured.words}; Ctrl-C ends", err=True)
            if file is not None and captured.carriers.tunnel_ports:
                from labctl.report.capture_file import how_to_read

                read = how_to_read(file, captured.carriers.tunnel_ports)
                click.echo(f"the packets inside of tunnels: {read}", err=True)
            for seen in captured.packets(stop, count, duration, lose):
                show(seen)
            if missed := captured.missed():
                click.echo(f"{missed} packets came faster than they could be shown, and are missing", err=True)

    packets.show_capture(own.name, typed, expression, use)
    return ExitCode.UNREACHABLE if lost else ExitCode.SUCCESS


@contextmanager
def _output(captured: Capture, file: str | None, typed: Sequence[str], form: str) -> Iterator[Callable[[Seen], object]]:
    """Yield what writes a packet: as a line, or to a file with a comment on what it carries."""
    from labctl.report.packets import json_line, line

    ports = captured.carriers.tunnel_ports
    if file is None and form == "json":
        yield lambda seen: click.echo(json_line(seen, ports))
        return
    if file is None:
        several = len(typed) != 1 or ":" not in typed[0]
        yield lambda seen: click.echo(line(seen, ports, several))
        return
    from labctl.api.work.packets import written

    with written(captured, file) as write:
        yield write
