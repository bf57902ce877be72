"""From a file to a lab and back: up, plan, down, and what only reads a file."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from functools import partial
from typing import TYPE_CHECKING

import click

from labctl.cli import completion
from labctl.cli.base import (
    WELL,
    cli,
    explain_option,
    file_argument,
    format_option,
    lab_argument,
    lab_option,
)
from labctl.cli.errors import print_error
from labctl.cli.labs import (
    VARIABLE,
    file_of,
    lab_of,
    own_labs,
    refuse_misspelled,
    remembered,
    topology_of,
    which_lab,
)
from labctl.cli.streams import patient_output
from labctl.errors import LabError

if TYPE_CHECKING:
    from labctl.lab.events import Listener, Removed
    from labctl.lab.up import UpReport
    from labctl.rootless.context import Context
    from labctl.topology.model import Topology

SOMETHING_TO_DO = 1


@cli.command()
@file_argument
@click.option("--name", help="Another name for the lab; it becomes the prefix of every namespace.")
@explain_option
@click.option("--fresh", is_flag=True, help="Make it anew: end the lab of that name first, if it is running.")
@format_option
@patient_output()
def up(file: str, name: str | None, explain: bool, fresh: bool, form: str) -> int:
    """Make the lab of a topology file, or of a topology that ships with labctl."""
    from labctl.lab.engines.forkserver_client import forkserver

    with forkserver() as server:  # first of all: it has something to load
        from labctl.lab.up import up as make
        from labctl.process.signals import ignore_termination
        from labctl.rootless.context import context_of_new

        topology, source = topology_of(file, name), file_of(file)
        if fresh and (before := own_labs().get(topology.name)):
            _ended(topology.name, before)
        context = context_of_new(topology.name)

        def work() -> UpReport:
            with _view(topology, explain, form) as notify:
                return make(topology, source, context.mode, server.at(context), notify)

        try:
            report = context.call(work)
            ignore_termination()  # the lab is made, and all that is left is to say so
        except BaseException:
            context.abandon()
            raise
    try:
        _report_up(report, topology, form)
    finally:
        context.keep()  # the very last: until here a room goes with the command, however it ends
    return WELL


def _report_up(report: UpReport, topology: Topology, form: str) -> None:
    if form == "json":
        from labctl.report import as_json

        click.echo(as_json.text(as_json.up(report)))
    else:
        from labctl.report import terminal

        terminal.up(report, _hints(topology, several=bool(own_labs().keys() - {topology.name})))
        sys.stdout.flush()


@contextmanager
def _view(topology: Topology, explain: bool, form: str) -> Iterator[Listener]:
    """Whoever shows a lab grow."""
    if form == "json":
        yield lambda _: None
        return
    from labctl.report.live import UpView

    with closing(UpView(topology.name, explain)) as view:
        yield view.notify


def _hints(topology: Topology, several: bool) -> list[tuple[str, str]]:
    """What to try next, with the names of this very lab; where `several` run, every command says which is meant."""
    space, which = next(iter(topology.namespaces)), f" -l {topology.name}" if several else ""
    hints = [(f"labctl status{which}", "interfaces, addresses, engines and their counters")]
    if topology.checks:
        hints.insert(0, (f"labctl verify{which}", f"prove it: {len(topology.checks)} checks, with packet counts"))
    crossing = (check.ping for check in topology.checks if check.ping and check.crosses and check.expect != "no-reply")
    ping = next(crossing, None)
    if ping:
        hints.append((f"labctl exec{which} {ping.from_} -- ping {ping.to}", "try it by hand"))
    hints.append((f"labctl shell{which} {space}", f"a shell in {space}"))
    hints.append((f"labctl down{which}", "leaves no trace"))
    return hints


@cli.command()
@click.argument("words", nargs=-1, metavar="[LAB] [NS:DEVICE]...", shell_complete=completion.devices)
@lab_option
@format_option
@patient_output()
def restart(words: tuple[str, ...], lab: str | None, form: str) -> int:
    """End the engines of a lab, all or those of the devices named, and start them again."""
    from labctl.lab.engines.forkserver_client import forkserver

    with forkserver() as server:
        from labctl.lab.restart import restart as again

        context, name, devices = lab_of(words, lab)
        engines = context.call(lambda: again(name, devices, server.at(context)))
    if form == "json":
        from labctl.report import as_json

        click.echo(as_json.text(as_json.restart(name, engines)))
    else:
        click.echo(f"{name}: started again: {', '.join(engine.device for engine in engines)}")
    return WELL


@cli.command()
@file_argument
@click.option("--name", help="The name of the lab, where it is not the file's.")
@explain_option
@format_option
def plan(file: str, name: str | None, explain: bool, form: str) -> int:
    """Show what `up` would do, without doing it; exit code 1 where there is something to do."""
    from labctl.lab.reconcile import planned

    topology = topology_of(file, name)
    here = own_labs().get(topology.name)
    found = here.call(lambda: planned(topology)) if here else planned(topology)
    if form == "json":
        from labctl.report import as_json

        click.echo(as_json.text(as_json.plan(found)))
    else:
        from labctl.report import terminal

        terminal.plan(found, fresh=here is None, explain=explain)
    return SOMETHING_TO_DO if found.pending.changes else WELL


@cli.command()
@lab_argument
@lab_option
@click.option("-a", "--all", "everything", is_flag=True, help="Every lab of yours.")
@format_option
@patient_output()
def down(named: str | None, lab: str | None, everything: bool, form: str) -> int:
    """End a lab and leave no trace of it. Needs no topology file; a second time is no error."""
    from labctl.lab.run_directory import tidy
    from labctl.rootless.context import contexts

    running = own_labs()
    wanted = lab or named or os.environ.get(VARIABLE)
    if wanted is None and len(running) > 1 and not everything:
        raise which_lab(running)
    names = list(running) if everything or wanted is None else [wanted]
    removed: dict[str, Sequence[Removed]] = {}
    failed: list[LabError] = []
    for name in names:
        if name not in running:
            refuse_misspelled(name, running)
            continue
        others = {other: context for other, context in running.items() if other not in names}
        try:
            with remembered(name, running[name], others):
                removed[name] = _ended(name, running[name])
        except LabError as error:  # one that cannot be taken down is not in the way of the others
            failed.append(error)
    if not (removed or failed):
        for context in contexts():
            context.call(tidy)  # an earlier down may have been killed at its very end
    _report_down(removed, failed, wanted, form)
    return failed[-1].exit_code if failed else WELL


def _ended(name: str, context: Context) -> Sequence[Removed]:
    """End a lab that is running; what was removed."""
    from labctl.lab.down import down as end

    return context.end(partial(end, name, context.mode))


def _report_down(
    removed: Mapping[str, Sequence[Removed]], failed: Sequence[LabError], wanted: str | None, form: str
) -> None:
    if form == "json":
        from labctl.report import as_json

        click.echo(as_json.text(as_json.down(removed, failed)))
        return
    for error in failed:
        print_error(error)
    from labctl.report import terminal

    for name, found in removed.items():
        terminal.down(found, name)
    if not (removed or failed):
        click.echo(f"no lab{f' named {wanted}' if wanted else ''} is running: nothing to do")
