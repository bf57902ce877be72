"""From a file to a lab and back: up, plan, down, and what only reads a file."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import partial
from typing import TYPE_CHECKING

import click

from labctl.cli.base import (
    WELL,
    cli,
    explain_option,
    file_argument,
    format_option,
    lab_argument,
    lab_as_option,
    tell,
)
from labctl.cli.labs import places_of_mine, topology_of, which_lab
from labctl.cli.streams import patient_output
from labctl.errors import LabError

if TYPE_CHECKING:
    from labctl.lab.events import Listener
    from labctl.lab.up import UpReport
    from labctl.topology.model import Topology

SOMETHING_TO_DO = 1


@cli.command()
@file_argument
@click.option("--name", help="Another name for the lab; it becomes the prefix of every namespace.")
@explain_option
@format_option
@patient_output()
def up(file: str, name: str | None, explain: bool, form: str) -> int:
    """Make the lab of a topology file, or of a topology that ships with labctl."""
    from labctl.lab.starting import forkserver

    with forkserver() as server:  # first of all: it has something to load
        from labctl.kernel.room import place_of_new
        from labctl.kernel.signals import carry_on
        from labctl.lab.up import up as make

        topology = topology_of(file, name)
        place = place_of_new(topology.name)

        def work() -> UpReport:
            with _view(topology, explain, form) as notify:
                return make(topology, place.mode, server.at(place), notify)

        try:
            report = place.call(work)
            carry_on()  # the lab is made, and all that is left is to say so
        except BaseException:
            place.abandon()
            raise
    try:
        _report_up(report, topology, form)
    finally:
        place.keep()  # the very last: until here a room goes with the command, however it ends
    return WELL


def _report_up(report: UpReport, topology: Topology, form: str) -> None:
    if form == "json":
        from labctl.report import as_json

        click.echo(as_json.text(as_json.up(report)))
    else:
        from labctl.report import terminal

        terminal.up(report, _hints(topology))
        sys.stdout.flush()


@contextmanager
def _view(topology: Topology, explain: bool, form: str) -> Iterator[Listener]:
    """Whoever shows a lab grow."""
    if form == "json":
        yield lambda _: None
        return
    from labctl.report.growing import UpView

    with closing(UpView(topology.name, explain)) as view:
        yield view.notify


def _hints(topology: Topology) -> list[tuple[str, str]]:
    """What to try next, with the names of this very lab."""
    space = next(iter(topology.namespaces))
    hints = [("labctl status", "interfaces, addresses, engines and their counters")]
    if topology.checks:
        hints.insert(0, ("labctl verify", f"prove it: {len(topology.checks)} checks, with packet counts"))
    crossing = (check.ping for check in topology.checks if check.ping and check.crosses and check.expect != "no-reply")
    ping = next(crossing, None)
    if ping:
        hints.append((f"labctl exec {ping.from_} -- ping {ping.to}", "try it by hand"))
    hints.append((f"labctl shell {space}", f"a shell in {space}"))
    hints.append(("labctl down", "leaves no trace"))
    return hints


@cli.command()
@file_argument
@click.option("--name", help="The name of the lab, where it is not the file's.")
@explain_option
@format_option
def plan(file: str, name: str | None, explain: bool, form: str) -> int:
    """Show what `up` would do, without doing it; exit code 1 where there is something to do."""
    from labctl.lab.gap import planned

    topology = topology_of(file, name)
    here = places_of_mine().get(topology.name)
    changes = here.call(lambda: planned(topology)) if here else planned(topology)
    if form == "json":
        from labctl.report import as_json

        click.echo(as_json.text(as_json.plan(topology.name, changes)))
    else:
        from labctl.report import terminal

        terminal.plan(topology.name, changes, fresh=here is None, explain=explain)
    return SOMETHING_TO_DO if changes else WELL


@cli.command()
@lab_argument
@lab_as_option
@click.option("-a", "--all", "everything", is_flag=True, help="Every lab of yours.")
@patient_output()
def down(lab: str | None, also: str | None, everything: bool) -> int:
    """End a lab and leave no trace of it. Needs no topology file; a second time is no error."""
    from labctl.kernel.room import places, refuse_elsewhere
    from labctl.lab.down import down as end
    from labctl.lab.state import tidy

    running = places_of_mine()
    wanted = also or lab
    names = list(running) if everything or (wanted is None and len(running) == 1) else [wanted] if wanted else []
    if wanted is None and len(running) > 1 and not everything:
        raise which_lab(running)
    code, ended = WELL, False
    for name in names:
        if name not in running:
            refuse_elsewhere(name)
            continue
        place, ended = running[name], True
        try:
            removed = place.end(partial(end, name, place.mode))
        except LabError as error:  # one that cannot be taken down is not in the way of the others
            tell(error)
            code = error.exit_code
            continue
        from labctl.report import terminal

        terminal.down(removed, name)
    if not ended:
        for place in places():
            place.call(tidy)  # an earlier down may have been killed at its very end
        click.echo(f"no lab{f' named {wanted}' if wanted else ''} is running: nothing to do")
    return code
