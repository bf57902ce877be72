"""How a failure is reported: in three lines on standard error, or as JSON on standard output if JSON was asked for."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import suppress
from itertools import pairwise

import click

from labctl.errors import LabError, UsageError
from labctl.report import failure


def told(error: LabError) -> int:
    """Report an error, or leave it to the machine that has run this command here. Return the exit code."""
    from labctl.hosts import notes

    if notes.is_noted(error):
        return notes.OF_SSH
    print_error(error)
    return error.exit_code


def print_error(error: LabError) -> None:
    """Report what failed, why, what to do now."""
    if json_is_asked_for(sys.argv[1:]):
        from labctl.report.as_json import JsonReporter

        with suppress(OSError):  # where standard output is full, it is reported as if no JSON had been asked for
            JsonReporter().failure(error)
            return
    failure.show(error)


def print_usage_error(error: click.ClickException) -> None:
    """Report what is wrong with a command line that names no command, or not rightly."""
    if not json_is_asked_for(sys.argv[1:]):
        with suppress(OSError):  # where standard error takes nothing, the exit code tells
            error.show()
        return
    context = getattr(error, "ctx", None)
    print_error(
        UsageError(error.format_message(), "", f"{context.command_path} --help" if context else "labctl --help")
    )


def json_is_asked_for(words: Sequence[str]) -> bool:
    """Return whether a command line asks for JSON. What failed may be the reading of the command line itself."""
    own = words[: words.index("--")] if "--" in words else words
    asked = [after for word, after in pairwise(own) if word in ("-f", "--format")]
    return asked[-1:] == ["json"] or any(word in ("-fjson", "--format=json") for word in own)
