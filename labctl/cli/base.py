"""What all commands share: the group that they belong to, and options.

Everything heavy is imported by the command that needs it, so that --help and completion answer at once.
"""

from __future__ import annotations

import math
from typing import Any

import click

from labctl import __version__
from labctl.cli import completion
from labctl.errors import ExitCode


class _Seconds(click.FloatRange):
    """A span of time: not negative, and with an end."""

    name = "seconds"

    def convert(self, value: Any, param: click.Parameter | None, context: click.Context | None) -> float:
        seconds = float(super().convert(value, param, context))
        if not math.isfinite(seconds):
            self.fail(f"{value!r} is not a number of seconds.", param, context)
        return seconds


SECONDS = _Seconds(min=0)
format_option = click.option(
    "-f", "--format", "form", type=click.Choice(["table", "json"]), default="table", help="For a person or a program."
)
file_argument = click.argument("file", metavar="FILE|NAME", shell_complete=completion.topologies)
inventory_option = click.option(
    "-i",
    "--inventory",
    metavar="FILE",
    type=click.Path(),
    help="The hosts of the lab and the namespaces on each: YAML with `hosts:`, or an inventory of Ansible.",
)
lab_argument = click.argument("named", metavar="[LAB]", required=False, shell_complete=completion.labs)
lab_option = click.option("-l", "--lab", shell_complete=completion.labs, help="Which lab, where several are running.")
explain_option = click.option(
    "--explain", is_flag=True, help="Show the command that a person would type for every step."
)

_OWN_CODES = [f"{code:d} {code.meaning}" for code in ExitCode if code < 128]  # those above are of signals


@click.group(
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=f"Exit codes: {', '.join(_OWN_CODES)}. Begin with: labctl up two-site",
)
@click.version_option(__version__, prog_name="labctl")
def cli() -> None:
    """Network labs from one YAML file: namespaces, tunnels, and checks that prove it with packet counts.

    As root a lab is real named namespaces; without any right it lives in a rootless environment.
    """
