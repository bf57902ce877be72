"""Commands that make, change and end a lab: up, restart, plan, down."""

from __future__ import annotations

import os
import sys
from contextlib import ExitStack
from typing import TYPE_CHECKING

import click

from labctl.cli import completion
from labctl.cli.base import (
    cli,
    explain_option,
    file_argument,
    format_option,
    inventory_option,
    lab_argument,
    lab_option,
)
from labctl.cli.labs import VARIABLE, lab_of, own_labs, which_lab
from labctl.cli.streams import tolerate_unwritable_output
from labctl.errors import ExitCode
from labctl.report.reporter import reporter

if TYPE_CHECKING:
    from labctl.lab.up import UpReport


@cli.command()
@file_argument
@click.option("--name", help="Another name for the lab; it becomes the prefix of every namespace.")
@inventory_option
@explain_option
@click.option("--fresh", is_flag=True, help="Make it anew: end the lab of that name first, if it is running.")
@format_option
@tolerate_unwritable_output()
def up(file: str, name: str | None, inventory: str | None, explain: bool, fresh: bool, form: str) -> int:
    """Make the lab of a topology file, or of a topology that ships with labctl."""
    from labctl.cli.this_process import make

    report = reporter(form)
    with ExitStack() as view:

        def show(made: UpReport) -> None:
            view.close()
            report.up(made, several=bool({*own_labs()} - {made.lab}))
            sys.stdout.flush()

        make(file, name, inventory, fresh, view.enter_context(report.making(explain)), show)
    return ExitCode.SUCCESS


@cli.command()
@click.argument("words", nargs=-1, metavar="[LAB] [NS:NAME]...", shell_complete=completion.running)
@lab_option
@format_option
@tolerate_unwritable_output()
def restart(words: tuple[str, ...], lab: str | None, form: str) -> int:
    """End the engines and programs of a lab, all or those named, and start them again."""
    own, named = lab_of(words, lab)
    reporter(form).restart(own.name, own.restart(*named))
    return ExitCode.SUCCESS


@cli.command()
@file_argument
@click.option("--name", help="The name of the lab, where it is not the file's.")
@inventory_option
@explain_option
@format_option
def plan(file: str, name: str | None, inventory: str | None, explain: bool, form: str) -> int:
    """Show what `up` would do, without doing it; exit code 1 where there is something to do."""
    from labctl.cli.own_lab import OwnLab

    found = OwnLab.plan(file, name=name, inventory=inventory)
    reporter(form).plan(found, fresh=found.lab not in own_labs(), explain=explain)
    return ExitCode.PENDING if found.pending.changes else ExitCode.SUCCESS


@cli.command()
@lab_argument
@lab_option
@click.option("-a", "--all", "everything", is_flag=True, help="Every lab of yours.")
@format_option
@tolerate_unwritable_output()
def down(named: str | None, lab: str | None, everything: bool, form: str) -> int:
    """End a lab and leave no trace of it. Needs no topology file; a second time is no error."""
    from labctl.cli.this_process import end

    running = own_labs()
    wanted = lab or named or os.environ.get(VARIABLE)
    if wanted is None and len(running) > 1 and not everything:
        raise which_lab(running)
    report = end(running if everything or wanted is None else [wanted])
    reporter(form).down(report, wanted)
    return report.failed[-1].exit_code if report.failed else ExitCode.SUCCESS
