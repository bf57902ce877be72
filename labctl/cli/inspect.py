"""Commands that look into a lab: status, list, logs, capture, and exec and shell, which run something inside."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from labctl.cli import completion
from labctl.cli.base import cli, format_option, lab_argument, lab_option
from labctl.cli.labs import lab_of, own_labs, running_lab, the_one
from labctl.errors import ExitCode
from labctl.report.reporter import reporter

if TYPE_CHECKING:
    from labctl.kernel.packet_capture import Seen
    from labctl.lab.status import Summary
    from labctl.rootless.context import Context


@cli.command()
@lab_argument
@lab_option
@format_option
def status(named: str | None, lab: str | None, form: str) -> int:
    """Show what is there: namespaces, interfaces, addresses, engines with their counters."""
    from labctl.lab.status import status as status_of

    context, name = running_lab(lab or named)
    reporter(form).status(context.call(lambda: status_of(name)))
    return ExitCode.SUCCESS


@cli.command("list")
@format_option
def list_(form: str) -> int:
    """List your labs."""
    from labctl.lab.status import summary as summary_of

    def summary(name: str, context: Context) -> Summary:
        return context.call(lambda: summary_of(name, context.mode))

    reporter(form).labs([summary(name, context) for name, context in own_labs().items()])
    return ExitCode.SUCCESS


@cli.command("exec", context_settings={"ignore_unknown_options": True})
@click.argument(
    "words", nargs=-1, type=click.UNPROCESSED, metavar="[LAB] NS -- CMD...", shell_complete=completion.namespaces
)
@lab_option
@format_option
def exec_(words: tuple[str, ...], lab: str | None, form: str) -> int:
    """Run a command in a namespace of a lab; its exit code is ours."""
    from labctl.lab import execute

    if len(words) > 1:
        context, name, (namespace, *command) = lab_of(words, lab)
        if command:
            return context.call(lambda: execute.execute(name, namespace, command))
    raise click.UsageError("a namespace and a command are needed, as in: labctl exec siteA -- ip route")


@cli.command()
@click.argument("words", nargs=-1, metavar="[LAB] NS", shell_complete=completion.namespaces)
@lab_option
@format_option
def shell(words: tuple[str, ...], lab: str | None, form: str) -> int:
    """Open a shell in a namespace of a lab."""
    from labctl.lab import execute
    from labctl.process import terminal

    context, name, left = lab_of(words, lab)
    namespace = the_one(left, "a namespace", "labctl shell siteA")
    try:
        return context.call(lambda: execute.shell(name, namespace))
    finally:
        terminal.give_back()


@cli.command()
@click.argument("words", nargs=-1, metavar="[LAB] [NS:DEVICE]...", shell_complete=completion.devices)
@click.option("--follow", is_flag=True, help="Go on as the engines write, until Ctrl-C.")
@lab_option
@format_option
def logs(words: tuple[str, ...], follow: bool, lab: str | None, form: str) -> int:
    """Show what the engines of a lab said: all, or those of the devices named."""
    from labctl.lab.engines.logs import lines

    context, name, devices = lab_of(words, lab)

    def work() -> None:
        for line in lines(name, devices, follow):
            click.echo(line)

    context.call(work)
    return ExitCode.SUCCESS


@cli.command()
@click.argument("words", nargs=-1, metavar="[LAB] NS:INTERFACE", shell_complete=completion.devices)
@click.option("-c", "--count", type=click.IntRange(min=1), help="End after so many packets; else Ctrl-C ends it.")
@click.option("-w", "--write", "file", type=click.Path(), help="Write a pcap file; - for `| wireshark -k -i -`.")
@lab_option
@format_option
def capture(words: tuple[str, ...], count: int | None, file: str | None, lab: str | None, form: str) -> int:
    """Show the packets of an interface as they come, or write them for tcpdump and wireshark. Needs no right."""
    import signal
    from itertools import islice

    from labctl.engine.loop.signals import stop_signals
    from labctl.lab.capture import capture as capturing

    context, name, left = lab_of(words, lab)
    interface = the_one(left, "an interface", "labctl capture siteA:tun0")

    def work() -> None:
        with (
            capturing(name, interface) as captured,
            _output(file, captured.ethernet) as show,
            stop_signals(signal.SIGINT) as stop,
        ):
            click.echo(f"watching {interface}; Ctrl-C ends", err=True)
            for seen in islice(captured.packets(stop), count):
                show(seen)
            if missed := captured.missed():
                click.echo(f"{missed} packets came faster than they could be shown, and are missing", err=True)

    context.call(work)
    return ExitCode.SUCCESS


@contextmanager
def _output(file: str | None, ethernet: bool) -> Iterator[Callable[[Seen], None]]:
    """Yield what writes a packet: as a line, or to a file."""
    from labctl.report import packets

    if file is None:
        yield lambda seen: click.echo(packets.line(seen))
        return
    with click.open_file(file, "wb") as out:

        def write(data: bytes) -> None:
            out.write(data)
            out.flush()  # it may be a pipe to a program that shows them

        write(packets.file_header(ethernet))
        yield lambda seen: write(packets.file_record(seen))
