"""What all commands share: the group that they belong to, exit codes, and options.

Everything heavy is imported by the command that needs it, so that --help and completion answer at once.
"""

from __future__ import annotations

import signal

import click

from labctl import __version__
from labctl.cli import completion

WELL, CHECK_FAILED, WRONG, CANNOT, NOT_ASKED = 0, 1, 2, 3, 5
INTERRUPTED = 128 + signal.SIGINT

format_option = click.option(
    "-f", "--format", "form", type=click.Choice(["table", "json"]), default="table", help="For a person or a program."
)
file_argument = click.argument("file", metavar="FILE|NAME", shell_complete=completion.topologies)
lab_argument = click.argument("named", metavar="[LAB]", required=False, shell_complete=completion.labs)
lab_option = click.option("-l", "--lab", shell_complete=completion.labs, help="Which lab, where several are running.")
explain_option = click.option(
    "--explain", is_flag=True, help="Show the command that a person would type for every step."
)


@click.group(
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit codes: 0 well, 1 a check failed, 2 the file or the call is wrong, 3 this machine cannot, "
    "4 the kernel refused and everything was taken back, 5 a check could not be asked. Begin with: labctl up two-site",
)
@click.version_option(__version__, prog_name="labctl")
def cli() -> None:
    """Network labs from one YAML file: namespaces, tunnels, and checks that prove it with packet counts.

    As root a lab is real named namespaces; without any right it lives in a room of your own.
    """
