"""nft(8): the one program that reads the language of rulesets.

It is run in the C locale, with a ruleset on its standard input, and in the namespace of the thread that calls it. What
it refuses it says in lines `FILE:LINE:COLUMN-COLUMN: Error: WORDS`, each with the line of the ruleset below it.
"""

from __future__ import annotations

import errno
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from typing import NamedTuple

from labctl.errors import MachineError

PATIENCE = 20.0
"""Seconds that nft may take; it is ended then, for a ruleset may contain a command that waits (`monitor`)."""

_SYSTEM = "/usr/sbin:/sbin:/usr/local/sbin:/usr/bin:/bin"
"""Where nft is, though the PATH of an ordinary user may not lead there."""

_ERROR = re.compile(r"^(?:-|/dev/stdin|<stdin>):(?P<line>\d+):(?P<column>\d+)-\d+: Error: (?P<words>.+)$", re.MULTILINE)
_FOLLOWS = "syntax error, unexpected end of file"
"""What nft says at the end, too, once it has not understood what stands before."""


class Complaint(NamedTuple):
    """What nft says of a place in a ruleset; lines and columns count from 1, and the line is 0 where it names none."""

    line: int
    column: int
    words: str


class NotLoaded(OSError):
    """nft did not load a ruleset: `complaints` are its own words."""

    def __init__(self, complaints: tuple[Complaint, ...]) -> None:
        super().__init__(errno.EINVAL, os.strerror(errno.EINVAL))
        self.text = "; ".join(each.words for each in complaints)
        self.complaints = complaints


def path() -> str | None:
    """Return the path of nft, None where it is not there."""
    return shutil.which("nft", path=f"{os.environ.get('PATH', '')}:{_SYSTEM}")


def missing() -> MachineError:
    """Return the error for a machine without nft."""
    return MachineError(
        "the file has a ruleset (nft:), and this machine has no program that reads it",
        "there is no nft in the PATH",
        "install it: apt install nftables (Fedora, Alpine, Arch: nftables); `masquerade:` works without",
    )


def load(ruleset: str) -> None:
    """Load a ruleset in this thread's namespace, all or nothing. Raise NotLoaded, MachineError where nft is missing."""
    found = path()
    if found is None:
        raise missing()
    try:
        done = subprocess.run(
            [found, "-f", "-"],
            input=ruleset,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            env={**os.environ, "LC_ALL": "C"},
            timeout=PATIENCE,
            check=False,
        )
    except subprocess.TimeoutExpired:
        waits = Complaint(0, 0, f"nft did not end within {PATIENCE:g} seconds: does the ruleset contain a command?")
        raise NotLoaded((waits,)) from None
    if done.returncode:
        raise NotLoaded(tuple(_complaints(done.stderr)) or (Complaint(0, 0, _joined(done.stderr)),))


def _complaints(said: str) -> Iterator[Complaint]:
    for number, found in enumerate(_ERROR.finditer(said)):
        words = found["words"].strip()
        if not (number and words == _FOLLOWS):
            yield Complaint(int(found["line"]), int(found["column"]), words)


def _joined(said: str) -> str:
    return " ".join(said.split()) or "nft failed without a word"
