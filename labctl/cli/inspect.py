"""Commands that look into a lab: status, list, logs, and exec and shell, which run something inside."""

from __future__ import annotations

import click

from labctl.cli import completion
from labctl.cli.base import cli, format_option, lab_argument, lab_option
from labctl.cli.labs import lab_of, running_lab, the_one
from labctl.errors import ExitCode
from labctl.report.reporter import reporter


@cli.command()
@lab_argument
@lab_option
@format_option
def status(named: str | None, lab: str | None, form: str) -> int:
    """Show what is there: namespaces, interfaces, addresses, engines with their counters, programs."""
    reporter(form).status(running_lab(lab or named).status())
    return ExitCode.SUCCESS


@cli.command("list")
@format_option
def list_(form: str) -> int:
    """List your labs."""
    from labctl.cli.own_lab import OwnLab

    reporter(form).labs(OwnLab.list())
    return ExitCode.SUCCESS


@cli.command("exec", context_settings={"ignore_unknown_options": True})
@click.argument(
    "words", nargs=-1, type=click.UNPROCESSED, metavar="[LAB] NS -- CMD...", shell_complete=completion.namespaces
)
@lab_option
@format_option
def exec_(words: tuple[str, ...], lab: str | None, form: str) -> int:
    """Run a command in a namespace of a lab; its exit code is ours."""
    from labctl.api.calls.terminal import execute

    if len(words) > 1:
        own, (namespace, *command) = lab_of(words, lab)
        if command:
            return execute(own.name, namespace, command)
    raise click.UsageError("a namespace and a command are needed, as in: labctl exec siteA -- ip route")


@cli.command()
@click.argument("words", nargs=-1, metavar="[LAB] NS", shell_complete=completion.namespaces)
@lab_option
@format_option
def shell(words: tuple[str, ...], lab: str | None, form: str) -> int:
    """Open a shell in a namespace of a lab."""
    from labctl.api.calls.terminal import shell as open_shell

    own, left = lab_of(words, lab)
    return open_shell(own.name, the_one(left, "a namespace", "labctl shell siteA"))


@cli.command()
@click.argument("words", nargs=-1, metavar="[LAB] [NS:NAME]...", shell_complete=completion.running)
@click.option("-F", "--follow", is_flag=True, help="Go on as they write, until Ctrl-C.")
@lab_option
@format_option
def logs(words: tuple[str, ...], follow: bool, lab: str | None, form: str) -> int:
    """Show what the engines and programs of a lab said: all, or those named."""
    from labctl.report.style import shown

    own, named = lab_of(words, lab)
    own.show_logs(named, follow, lambda line: click.echo(shown(line)))
    return ExitCode.SUCCESS
