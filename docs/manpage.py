"""The man page labctl(1), made from the click commands: `python -m docs.manpage` writes docs/labctl.1.

One page for all commands, as they share their exit codes, options and environment. The macros are those of man(7).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import click

import labctl.cli  # noqa: F401  # the commands join the group
from labctl import __version__
from labctl.cli.base import cli
from labctl.errors import ExitCode

PAGE = Path(__file__).parent / "labctl.1"

ENVIRONMENT = {
    "LABCTL_LAB": "The lab that is meant where no word of a command names one; set in labctl shell and labctl exec.",
    "LABCTL_TRACEBACK": "Where it is set, a failure of labctl itself ends in a Python traceback, for a report.",
    "NO_COLOR": "Where it is set, the output has no colours.",
}
EXAMPLES = {
    "labctl up two-site": "Make a lab that ships with labctl.",
    "labctl verify": "Run its checks.",
    "labctl exec siteA -- ping -c 3 10.0.102.1": "Run a command in one of its namespaces.",
    "labctl down": "Remove the lab.",
}
SEE_ALSO = ("ip(8)", "ip-netns(8)", "network_namespaces(7)", "user_namespaces(7)", "tc-netem(8)")


def page() -> str:
    """Return the whole page as roff."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    summary, _, rest = (cli.help or "").partition("\n\n")
    yield f'.TH LABCTL 1 "" "labctl {__version__}" "User Commands"'
    yield from (".SH NAME", f"labctl \\- {_roff(summary)}")
    yield from (".SH SYNOPSIS", r"\fBlabctl\fR \fICOMMAND\fR [\fIARGUMENT\fR]...")
    yield from (".SH DESCRIPTION", _roff(rest))
    yield ".SH COMMANDS"
    for name, command in sorted((name, each) for name, each in cli.commands.items() if not each.hidden):
        yield from _command(f"labctl {name}", command)
    yield ".SH EXIT STATUS"
    for code in ExitCode:
        yield from (".TP", f".B {code:d}", _roff(f"{code.meaning[0].upper()}{code.meaning[1:]}."))
    yield ".SH ENVIRONMENT"
    for variable, meaning in ENVIRONMENT.items():
        yield from (".TP", f".B {variable}", _roff(meaning))
    yield ".SH EXAMPLES"
    for line, meaning in EXAMPLES.items():
        yield from (".TP", f".B {_roff(line)}", _roff(meaning))
    yield ".SH SEE ALSO"
    yield ",\n".join(f".BR {_roff(name)} ({section}" for name, section in (page.split("(") for page in SEE_ALSO))


def _command(path: str, command: click.Command) -> Iterator[str]:
    """Yield the part of one command, and of those below it."""
    context = click.Context(command, info_name=path)
    yield f'.SS "{_roff(" ".join((path, *command.collect_usage_pieces(context))))}"'
    yield _roff(command.help or "")
    for option in command.params:
        if isinstance(option, click.Option):
            yield from (".TP", f".B {_roff(_words(option))}", _roff(option.help or ""))
    if isinstance(command, click.Group):
        for name, below in command.commands.items():
            yield from _command(f"{path} {name}", below)


def _words(option: click.Option) -> str:
    """Return an option as it is typed, with a word for its value."""
    names = ", ".join((*option.opts, *option.secondary_opts))
    if option.is_flag:
        return names
    choices = "|".join(option.type.choices) if isinstance(option.type, click.Choice) else ""
    return f"{names} {option.metavar or choices or (option.name or '').upper()}"


def _roff(text: str) -> str:
    """Return a text of click's as one paragraph that roff shows as it is written."""
    plain = re.sub(r"\s+", " ", text).strip().replace("\\", r"\e").replace("-", r"\-")
    return re.sub(r"^([.'])", r"\\&\1", plain)


if __name__ == "__main__":
    PAGE.write_text(page())
