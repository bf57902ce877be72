"""Trying a lab out: its checks, impairments of its tunnels, and what this machine is able to do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from labctl.cli import completion
from labctl.cli.base import CANNOT, CHECK_FAILED, NOT_ASKED, WELL, cli, format_option, lab_option
from labctl.cli.labs import running_lab
from labctl.errors import UsageError

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
@click.argument("checks", nargs=-1, metavar="[CHECK]...", shell_complete=completion.checks)
@click.option("--system-tools", is_flag=True, help="Use the ping and nc of this machine.")
@lab_option
@format_option
def verify(checks: tuple[str, ...], system_tools: bool, lab: str | None, form: str) -> int:
    """Run the checks of a lab, all or those named, and prove each with packet counts."""
    place, name = running_lab(lab)
    show = None
    if form == "table":
        from labctl.report import terminal

        show = terminal.result

    def work() -> list[Any]:
        from labctl.lab.verify import verify as results_of

        results = []
        for found in results_of(name, checks, _tools(system_tools)):
            results.append(found)
            if show:
                show(found)
        return results

    results = place.call(work)
    if show:
        terminal.verdict(name, results)
    else:
        from labctl.report import as_json

        click.echo(as_json.text(as_json.verify(name, results)))
    if all(found.passed for found in results):
        return WELL
    return CHECK_FAILED if any(found.asked and not found.passed for found in results) else NOT_ASKED


def _tools(system: bool) -> Any:
    if system:
        from labctl.checks.system_tools import SystemTools

        return SystemTools
    from labctl.checks.probes import Probes

    return Probes


def _impairments(command: Callable[..., int]) -> Callable[..., int]:
    """An option for every word of tc netem."""
    for word, example in reversed(IMPAIRMENTS.items()):
        command = click.option(f"--{word}", metavar=example, help=f"{word}, for example {example}.")(command)
    return command


@cli.command()
@click.argument("device", metavar="NS:DEVICE", shell_complete=completion.devices)
@_impairments
@click.option("--direction", type=click.Choice(["out", "in"]), default="out", help="Which packets; out by default.")
@click.option("--show", is_flag=True, help="Only show what is in force.")
@click.option("--reset", is_flag=True, help="Take every impairment away first, in both directions.")
@lab_option
@format_option
def impair(
    device: str, direction: str, show: bool, reset: bool, lab: str | None, form: str, **words: str | None
) -> int:
    """Change what packets of a running tunnel endpoint suffer; what is not named stays."""
    from labctl.lab.impair import impair as change

    place, name = running_lab(lab)
    named = {word: value for word, value in words.items() if value is not None}
    if not (named or show or reset):
        raise UsageError("nothing to change", "", "name an impairment, as in --delay 50ms, or --show, or --reset")
    if reset:
        place.call(lambda: change(name, device, {"out": None, "in": None}))
    in_force = place.call(lambda: change(name, device, {direction: named} if named else {}))
    if form == "json":
        from labctl.report import as_json

        click.echo(as_json.text(as_json.impairments(name, device, in_force)))
    else:
        for way, impairment in in_force.items():
            click.echo(f"{device} {way.ljust(3)}  {impairment}")
    return WELL


@cli.command()
@format_option
def doctor(form: str) -> int:
    """Say in plain words what this machine can do, by trying it."""
    from labctl.kernel.capabilities import can_run_labs, examine

    findings = examine()
    able = can_run_labs(findings)
    if form == "json":
        from labctl.report import as_json

        click.echo(as_json.text(as_json.doctor(findings, able)))
    else:
        from labctl.report import terminal

        terminal.doctor(findings, able)
    return WELL if able else CANNOT
