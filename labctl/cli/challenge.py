"""Commands of hidden faults: challenge, hint."""

from __future__ import annotations

import click

from labctl.cli import completion
from labctl.cli.base import cli, format_option, lab_argument, lab_option
from labctl.cli.labs import own_labs, running_lab
from labctl.cli.streams import tolerate_unwritable_output
from labctl.errors import ExitCode
from labctl.report.reporter import reporter

DEFAULT = "two-site"


@cli.command()
@click.argument("topology", metavar="[FILE|NAME]", required=False, shell_complete=completion.topologies)
@click.option("--seed", type=click.IntRange(0), help="Which fault, where, and how; else the teacher's seed, or drawn.")
@click.option("--level", type=click.IntRange(1, 3), default=1, help="1: one look shows it; 3: it misleads, or two.")
@click.option("--list", "listed", is_flag=True, help="List the faults, all or those that a topology can have.")
@click.option("--reveal", is_flag=True, help="Show what is wrong, how it was made, and what mends it.")
@click.option("--end", is_flag=True, help="Show the answer, and take the lab down.")
@lab_option
@format_option
@tolerate_unwritable_output()
def challenge(
    topology: str | None,
    seed: int | None,
    level: int,
    listed: bool,
    reveal: bool,
    end: bool,
    lab: str | None,
    form: str,
) -> int:
    """Make a lab in which something is wrong, for you to find; or show the challenge that runs."""
    from labctl.learn.challenges import challenge as challenges
    from labctl.learn.challenges.catalogue import catalogue
    from labctl.learn.classroom.spool import own_seed
    from labctl.learn.faults.fault import as_level

    report = reporter(form)
    if listed:
        report.faults(catalogue(topology))
    elif reveal or end:
        name = running_lab(lab or topology).name
        report.answer(challenges.reveal(name))
        if end:
            running_lab(name).down()
    else:
        name = "" if topology else _running(lab)
        if name:
            begun = challenges.told(challenges.known(name))
        else:
            given = own_seed() if seed is None else seed
            begun = challenges.begin(topology or DEFAULT, given, as_level(level))
        report.challenge(begun, several=len(own_labs()) > 1)
    return ExitCode.SUCCESS


def _running(lab: str | None) -> str:
    """Return the lab in which a challenge runs; empty where none does."""
    from labctl.learn.challenges.challenge import runs_in

    return next((name for name in ([lab] if lab else own_labs()) if runs_in(name)), "")


@cli.command()
@lab_argument
@lab_option
@format_option
def hint(named: str | None, lab: str | None, form: str) -> int:
    """Help with a challenge: what to look at, then where, then what the diagnosis says; each time a stage more."""
    from labctl.learn.challenges.hints import hint as hint_of

    reporter(form).hint(hint_of(running_lab(lab or named).name))
    return ExitCode.SUCCESS
