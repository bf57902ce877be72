"""exec: a command in a namespace, and whether it ended and wrote as it should.

A command that cannot be run has not been asked. One that does not end in its time has been: that nothing came of it is
its failure, and it is ended with everything that it has started.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator

from labctl.checks.json_path import Missing, at, same, shown
from labctl.checks.kinds.kind import Counts
from labctl.checks.results import Outcome, State
from labctl.errors import LabError, signal_name
from labctl.kernel.run_command import Ended, NotRun, run_command
from labctl.process.patience import PatienceFor
from labctl.topology.model import Exec

LINES = 3
"""Lines of the end of what a command has written that are shown where it fails."""

LONGEST = 200
"""Characters of a line that are shown."""

MOST = 128
"""By so much the exit code of a command that a signal ended is above its number, as shells have it."""


class ExecKind:
    """A command, and how it ends."""

    def __init__(self, asked: Exec) -> None:
        self.asked = asked

    def ask(self, patience: PatienceFor) -> Outcome:
        """Run the command to its end."""
        asked = self.asked
        try:
            ended = run_command(asked.in_, shlex.split(asked.command), asked.cwd, asked.timeout, patience)
        except LabError as error:
            return Outcome("unasked", f"{error.what}: {error.why}")
        return concluded(asked, ended)

    def typed(self) -> str:
        """Return what a person types for the same."""
        return f"labctl exec {self.asked.in_} -- {self.asked.command}"

    def expectation(self, wanted: State) -> str:
        """Return what it has to end with, and what has to be in its output."""
        asked = self.asked
        output = f", /{asked.stdout}/ in its output" if asked.stdout is not None else ""
        values = "".join(f", {path} = {shown(value)}" for path, value in (asked.json_ or {}).items())
        return f"exit code {asked.exit}{output}{values}"

    def counts(self, wanted: State, leaving: int, arriving: int) -> Counts:
        """Return that only the command knows."""
        return Counts(None, None)

    def target(self) -> None:
        """Return that only the command knows."""
        return

    def briefly(self, seconds: float, times: int) -> Exec:
        """Return the same with a shorter time-out."""
        return self.asked.replace(timeout=min(self.asked.timeout, seconds))


def concluded(asked: Exec, ended: Ended | NotRun) -> Outcome:
    """Return the outcome of a command that was run, or could not be."""
    if isinstance(ended, NotRun):
        return Outcome("unasked", f"it cannot be run: {ended.why}; {ended.hint}")
    if ended.exit_code is None:
        return Outcome("silent", f"it did not end within {asked.timeout:g} s, and was ended{_said(ended)}")
    wrong = list(_wrong(asked, ended))
    if wrong:
        return Outcome("differs", "; ".join(wrong) + _said(ended))
    return Outcome("answered", f"ended with exit code {asked.exit}{_held(asked)}")


def _wrong(asked: Exec, ended: Ended) -> Iterator[str]:
    """Yield what is not as it should be."""
    if ended.exit_code is not None and (code := _as_shells_say(ended.exit_code)) != asked.exit:
        by = f", by {signal_name(-ended.exit_code)}" if ended.exit_code < 0 else ""
        yield f"ended with exit code {code}{by}"
    text = ended.stdout.decode(errors="replace")
    if asked.stdout is not None and not re.search(asked.stdout, text, re.MULTILINE):
        yield f"/{asked.stdout}/ is not in {_output(ended)}"
    if asked.json_ is not None:
        yield from _wrong_json(asked.json_, text, ended)


def _wrong_json(wanted: dict[str, object], text: str, ended: Ended) -> Iterator[str]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        why = f": {error}" if ended.whole and ended.written else ""
        yield f"{_output(ended)} is no JSON{why}"
        return
    for path, meant in wanted.items():
        found = at(value, path)
        if isinstance(found, Missing):
            yield f"there is no {path}: {found}"
        elif not same(found, meant):
            yield f"{path} is {shown(found)}, not {shown(meant)}"


def _output(ended: Ended) -> str:
    """Return what was looked at, in words."""
    if not ended.whole:
        return f"the first {len(ended.stdout):,} bytes of its output"
    return "its output" if ended.written else "its empty output"


def _held(asked: Exec) -> str:
    number = len(asked.json_ or {})
    values = f", {number} value{'s' * (number != 1)} as expected" if number else ""
    return f"{f', /{asked.stdout}/ in its output' if asked.stdout is not None else ''}{values}"


def _said(ended: Ended) -> str:
    """Return the last lines that a command has written, in words."""
    lines = [line for line in ended.last.decode(errors="replace").splitlines() if line.strip()][-LINES:]
    shown_lines = [
        "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in line.strip()[:LONGEST])
        for line in lines
    ]
    return f"; it said: {' | '.join(shown_lines)}" if shown_lines else "; it said nothing"


def _as_shells_say(code: int) -> int:
    return code if code >= 0 else MOST - code
