"""Commands that follow a lab while it runs: events, watch."""

from __future__ import annotations

import signal
import sys
from functools import partial

import click

from labctl.cli.base import cli, format_option, lab_argument, lab_option
from labctl.cli.labs import running_lab
from labctl.errors import ExitCode


@cli.command()
@lab_argument
@click.option("--verify", is_flag=True, help="Run the checks again and again, too, and tell when a verdict changes.")
@lab_option
@format_option
def events(named: str | None, verify: bool, lab: str | None, form: str) -> int:
    """Tell what happens in a lab, a line each, until Ctrl-C; it goes on through `down` and `up`."""
    from labctl.api.calls.watch import watch
    from labctl.engine.loop.signals import heard
    from labctl.lab.live.watchers import CHECKS, LOOKS
    from labctl.report.happenings import line_in

    name = running_lab(lab or named).name
    line, output = line_in(form), sys.stdout.fileno()
    works = {**LOOKS, **(CHECKS if verify else {})}
    with heard(signal.SIGINT, signal.SIGTERM) as stop, watch(name, works) as following:
        for moment in following.moments(also=(stop,), output=(output,)):
            for at, event in moment.events:
                click.echo(line(name, at, event))
            if moment.ready:
                break
    return ExitCode.SUCCESS


@cli.command()
@lab_argument
@click.option("--verify", is_flag=True, help="Run the checks again and again, too, and show those that fail.")
@click.option("--packets", is_flag=True, help="Show some of the packets that cross, too.")
@click.option(
    "--web",
    is_flag=False,
    flag_value="",
    metavar="[ADDRESS:PORT]",
    help="Serve a page for browsers instead, on loopback if nothing else is said; then only with a token.",
)
@lab_option
def watch(named: str | None, verify: bool, packets: bool, web: str | None, lab: str | None) -> int:
    """Show a lab as it runs, on the whole terminal: rates, engines, drops, drift, what happens. The key q ends it."""
    if web is not None:
        _serve(lab or named, web, verify)
        return ExitCode.SUCCESS
    from labctl.api.calls.watch import watch as follow
    from labctl.report.watch.sections import Shown
    from labctl.report.watch.session import watch as watch_lab

    watch_lab(partial(follow, running_lab(lab or named).name), Shown(checks=verify, packets=packets))
    return ExitCode.SUCCESS


def _serve(lab: str | None, written: str, verify: bool) -> None:
    """Serve the page of a lab until Ctrl-C."""
    from labctl.web.access import DEFAULT, place
    from labctl.web.session import serve

    at = place(written or DEFAULT)
    name = running_lab(lab).name
    serve(name, at, verify, lambda url: click.echo(f"lab {name} is shown at {url}; Ctrl-C ends"))
