"""Commands that show packets: trace, those of a command or a check; capture, those of interfaces."""

from __future__ import annotations

from functools import partial

import click

from labctl.cli import completion
from labctl.cli.base import cli, format_option, lab_option
from labctl.cli.labs import lab_of
from labctl.report.reporter import reporter


@cli.command(context_settings={"ignore_unknown_options": True})
@click.argument(
    "words",
    nargs=-1,
    type=click.UNPROCESSED,
    metavar="[LAB] NS -- CMD... | [LAB] CHECK",
    shell_complete=completion.traceable,
)
@click.option(
    "-c", "--count", type=click.IntRange(min=0), default=20, help="How many packets are shown; 20 by default."
)
@lab_option
@format_option
def trace(words: tuple[str, ...], count: int, lab: str | None, form: str) -> int:
    """Follow each packet of a command or a check through all interfaces and engines. Its exit code is ours."""
    from labctl.lab.trace import trace_check, trace_command

    if not words:
        raise click.UsageError("a command or a check is needed, as in: labctl trace siteA -- ping -c1 10.0.102.1")
    context, name, left = lab_of(words, lab)
    report = reporter(form)

    def work() -> int:
        if len(left) == 1:
            from labctl.checks.probes import Probes

            found = trace_check(name, left[0], Probes, partial(report.check, whole=False))
        else:
            found = trace_command(name, left[0], left[1:], to_stderr=form == "json")
        report.trace(found, count)
        return found.exit_code

    return context.call(work)
