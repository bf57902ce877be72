"""Looking into a lab: what is there, what it says, and a command or a shell inside."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from labctl.cli import completion
from labctl.cli.base import WELL, cli, format_option, lab_argument, lab_as_option, lab_option
from labctl.cli.labs import places_of_mine, running_lab

if TYPE_CHECKING:
    from labctl.kernel.room import Place
    from labctl.kernel.taps import Seen


@cli.command()
@lab_argument
@lab_as_option
@format_option
def status(lab: str | None, also: str | None, form: str) -> int:
    """Show what is there: namespaces, interfaces, addresses, engines with their counters."""
    from labctl.lab import status as story

    place, name = running_lab(also or lab)
    report = place.call(lambda: story.status(name))
    if form == "json":
        from labctl.report import as_json

        click.echo(as_json.text(as_json.status(report)))
    else:
        from labctl.report import terminal

        terminal.status(report)
    return WELL


@cli.command("list")
@format_option
def list_(form: str) -> int:
    """List your labs."""
    from labctl.lab import status as story

    def summary(name: str, place: Place) -> Any:
        return place.call(lambda: story.summary(name, place.mode))

    summaries = [summary(name, place) for name, place in places_of_mine().items()]
    if form == "json":
        from labctl.report import as_json

        click.echo(as_json.text(as_json.labs(summaries)))
    else:
        from labctl.report import terminal

        terminal.labs(summaries)
    return WELL


@cli.command("exec", context_settings={"ignore_unknown_options": True})
@click.argument("namespace", metavar="NS", shell_complete=completion.namespaces)
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED, metavar="-- CMD...")
@lab_option
def exec_(namespace: str, command: tuple[str, ...], lab: str | None) -> int:
    """Run a command in a namespace of a lab; its exit code is ours."""
    from labctl.lab import inside

    place, name = running_lab(lab)
    return place.call(lambda: inside.execute(name, namespace, command))


@cli.command()
@click.argument("namespace", metavar="NS", shell_complete=completion.namespaces)
@lab_option
def shell(namespace: str, lab: str | None) -> int:
    """Open a shell in a namespace of a lab."""
    from labctl.kernel import terminal
    from labctl.lab import inside

    place, name = running_lab(lab)
    try:
        return place.call(lambda: inside.shell(name, namespace))
    finally:
        terminal.give_back()


@cli.command()
@click.argument("devices", nargs=-1, metavar="[NS:DEVICE]...", shell_complete=completion.devices)
@click.option("--follow", is_flag=True, help="Go on as the engines write, until Ctrl-C.")
@lab_option
def logs(devices: tuple[str, ...], follow: bool, lab: str | None) -> int:
    """Show what the engines of a lab said: all, or those of the devices named."""
    from labctl.lab import logs as story

    place, name = running_lab(lab)

    def work() -> None:
        for line in story.lines(name, devices, follow):
            click.echo(line)

    place.call(work)
    return WELL


@cli.command()
@click.argument("interface", metavar="NS:INTERFACE", shell_complete=completion.devices)
@click.option("-c", "--count", type=click.IntRange(min=1), help="End after so many packets; else Ctrl-C ends it.")
@click.option("-w", "--write", "file", type=click.Path(), help="Write a pcap file; - for `| wireshark -k -i -`.")
@lab_option
def capture(interface: str, count: int | None, file: str | None, lab: str | None) -> int:
    """Show the packets of an interface as they come, or write them for tcpdump and wireshark. Needs no right."""
    import signal
    from itertools import islice

    from labctl.engine.stop import stop_signals
    from labctl.lab.capture import capture as tapped

    place, name = running_lab(lab)

    def work() -> None:
        with (
            tapped(name, interface) as tap,
            _output(file, tap.ethernet) as show,
            stop_signals(signal.SIGINT) as stop,
        ):
            click.echo(f"watching {interface}; Ctrl-C ends", err=True)
            for seen in islice(tap.packets(stop), count):
                show(seen)
            if missed := tap.missed():
                click.echo(f"{missed} packets came faster than they could be shown, and are missing", err=True)

    place.call(work)
    return WELL


@contextmanager
def _output(file: str | None, ethernet: bool) -> Iterator[Callable[[Seen], None]]:
    """What shows a packet: as a line, or in a file."""
    from labctl.report import packets

    if file is None:
        yield lambda seen: click.echo(packets.line(seen))
        return
    with click.open_file(file, "wb") as out:

        def write(data: bytes) -> None:
            out.write(data)
            out.flush()  # somebody is watching

        write(packets.file_header(ethernet))
        yield lambda seen: write(packets.file_record(seen))
