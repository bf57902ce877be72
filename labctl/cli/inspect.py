"""Commands that look into a lab: status, list, logs, and exec and shell, which run something inside."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from labctl.cli import completion
from labctl.cli.base import cli, format_option, lab_argument, lab_option
from labctl.cli.labs import lab_of, own_labs, running_lab, the_one
from labctl.errors import ExitCode
from labctl.report.reporter import reporter

if TYPE_CHECKING:
    from labctl.lab.status import Summary
    from labctl.rootless.context import Context


@cli.command()
@lab_argument
@lab_option
@format_option
def status(named: str | None, lab: str | None, form: str) -> int:
    """Show what is there: namespaces, interfaces, addresses, engines with their counters, programs."""
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
@click.argument("words", nargs=-1, metavar="[LAB] [NS:NAME]...", shell_complete=completion.running)
@click.option("-F", "--follow", is_flag=True, help="Go on as they write, until Ctrl-C.")
@lab_option
@format_option
def logs(words: tuple[str, ...], follow: bool, lab: str | None, form: str) -> int:
    """Show what the engines and programs of a lab said: all, or those named."""
    from labctl.lab.engines.logs import lines

    context, name, named = lab_of(words, lab)

    def work() -> None:
        for line in lines(name, named, follow):
            click.echo(line)

    context.call(work)
    return ExitCode.SUCCESS
