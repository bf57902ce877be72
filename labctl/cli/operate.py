"""Commands that try a lab out, and the machine: verify, why, impair, doctor."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Literal

import click

from labctl.cli import completion
from labctl.cli.base import cli, format_option, lab_option
from labctl.cli.labs import lab_of, own_labs, the_one
from labctl.errors import ExitCode, UsageError
from labctl.report.reporter import reporter

if TYPE_CHECKING:
    from labctl.lab.verify import Verified

IMPAIRMENTS = {
    "delay": "50ms",
    "jitter": "5ms",
    "loss": "10%",
    "duplicate": "1%",
    "corrupt": "1%",
    "reorder": "25%",
    "rate": "10mbit",
    "seed": "7",
}


@cli.command()
@click.argument("words", nargs=-1, metavar="[LAB] [CHECK]...", shell_complete=completion.checks)
@click.option("--checks", "file", type=click.Path(), help="A file with other checks than those of the lab.")
@click.option("--repeat", type=click.IntRange(1, 10000), default=1, help="Run them so many times; all must pass.")
@click.option("--junit", type=click.Path(), help="Write the verdicts to a file as JUnit XML, too.")
@click.option("--system-tools", is_flag=True, help="Use the programs of this machine: ping, nc, curl, dig.")
@click.option("-v", "--verbose", is_flag=True, help="The whole story of the checks that passed, too.")
@lab_option
@format_option
def verify(
    words: tuple[str, ...],
    file: str | None,
    repeat: int,
    junit: str | None,
    system_tools: bool,
    verbose: bool,
    lab: str | None,
    form: str,
) -> int:
    """Run the checks of a lab, all or those named, and prove each with packet counts.

    What a check needs is run before it.
    """
    own, checks = lab_of(words, lab)
    report = reporter(form)
    runs: list[Verified] = []
    with junit_file(junit) as write:
        for number in range(1, repeat + 1):
            report.run(number, repeat)
            show = partial(report.check, whole=verbose)
            runs.append(own.verify(*checks, system_tools=system_tools, file=file, notify=show))
        write(runs)
    if standing := next((run.challenge for run in runs if run.challenge and run.challenge.solved), None):
        from labctl.learn.challenges.challenge import answer, known

        runs[-1] = replace(runs[-1], challenge=replace(standing, was=answer(known(own.name)).words))
    if repeat == 1:
        report.verify(runs[0], verbose, several=len(own_labs()) > 1)
    else:
        report.repeated(runs, verbose)
    if all(run.passed for run in runs):
        if any(run.lost for run in runs):
            return ExitCode.NOT_ASKED
        unsolved = runs[-1].challenge is not None and runs[-1].challenge.missing
        return ExitCode.FAILED if unsolved else ExitCode.SUCCESS
    failed = any(result.asked for run in runs for result in run.failed)
    return ExitCode.FAILED if failed else ExitCode.NOT_ASKED


@contextmanager
def junit_file(path: str | None) -> Iterator[Callable[[Sequence[Verified]], object]]:
    """Yield what writes a report to a file, which can be written; where there is none, what does nothing."""
    if path is None:
        yield lambda runs: None
        return
    from labctl.report.junit import junit, opened

    with opened(path) as write:
        yield lambda runs: write(junit(runs))


@cli.command()
@click.argument("words", nargs=-1, metavar="[LAB] NS ADDRESS|NAME", shell_complete=completion.namespaces)
@click.option("-v", "--verbose", is_flag=True, help="All that was measured.")
@lab_option
@format_option
def why(words: tuple[str, ...], verbose: bool, lab: str | None, form: str) -> int:
    """Say why a namespace does not reach an address: where packets end, for which reason, and what mends it."""
    own, left = lab_of(words, lab)
    if len(left) != 2:
        raise click.UsageError("a namespace and an address are needed, as in: labctl why siteA 10.0.102.1")
    found = own.why(*left)
    reporter(form).why(found, verbose)
    return ExitCode.SUCCESS if found.reached else ExitCode.FAILED


def _impairments(command: Callable[..., int]) -> Callable[..., int]:
    """Add an option for every word of tc netem."""
    for word, example in reversed(IMPAIRMENTS.items()):
        command = click.option(f"--{word}", metavar=example, help=f"{word}, for example {example}.")(command)
    return command


@cli.command()
@click.argument("target", nargs=-1, metavar="[LAB] NS:DEVICE", shell_complete=completion.devices)
@_impairments
@click.option("--direction", type=click.Choice(["out", "in"]), default="out", help="Which packets; out by default.")
@click.option("--show", is_flag=True, help="Only show what is in force.")
@click.option("--reset", is_flag=True, help="Take every impairment away first, in both directions.")
@lab_option
@format_option
def impair(
    target: tuple[str, ...],
    direction: Literal["out", "in"],
    show: bool,
    reset: bool,
    lab: str | None,
    form: str,
    **words: str | None,
) -> int:
    """Change what packets of a running tunnel endpoint suffer; what is not named stays."""
    own, left = lab_of(target, lab)
    device = the_one(left, "a tunnel endpoint or an end of a cable", "labctl impair siteA:tun0 --loss 10%")
    named = {word: value for word, value in words.items() if value is not None}
    if not (named or show or reset):
        raise UsageError("nothing to change", "", "name an impairment, as in --delay 50ms, or --show, or --reset")
    in_force = own.impair(device, direction=direction, reset=reset, **named)
    reporter(form).impairments(in_force)
    return ExitCode.SUCCESS


@cli.command()
@click.option("--host", metavar="HOST", help="Ask this host, which ssh logs in to, in place of this machine.")
@format_option
def doctor(host: str | None, form: str) -> int:
    """Say in plain words what this machine can do, by trying it; or a host for labs over several."""
    from labctl.api.caller import Caller
    from labctl.api.calls.operate import doctor as examine
    from labctl.kernel.drivers import Able, able

    findings = examine(host, Caller())
    labs = able(findings)
    reporter(form).doctor(findings, labs, host or "this machine")
    return ExitCode.SUCCESS if labs is Able.ALL else ExitCode.CANNOT
