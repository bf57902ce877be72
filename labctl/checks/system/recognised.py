"""A program of the machine, recognised by what it prints of itself."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from typing import TypeVar

from labctl.checks.programs import KNOWN, introduction
from labctl.checks.results import Outcome
from labctl.errors import MachineError

STARTING = 10.0
"""Seconds that a program has to start."""

Words = TypeVar("Words")


def recognised(program: str, asked: str, words_for: Callable[[str], Words | None], package: str) -> Words:
    """Return how the program of this name is called. Raise MachineError where there is none, or it is not known."""
    path = shutil.which(program)
    remedy = f"install {package} (Debian: apt-get install {package}), or leave --system-tools out"
    if path is None:
        raise MachineError(
            f"there is no {program} on this machine", "--system-tools runs the programs of the machine", remedy
        )
    printed = subprocess.run(
        [program, asked], capture_output=True, stdin=subprocess.DEVNULL, env={**os.environ, "LC_ALL": "C"}, check=False
    )
    said = (printed.stdout + printed.stderr).decode(errors="replace")
    words = words_for(said)
    if words is None:
        raise MachineError(
            f"the {program} of this machine is none that labctl knows",
            f"{program} {asked} says: {introduction(said)}; {KNOWN[program]}",
            remedy,
        )
    return words


def unless_too_early(outcome: Outcome, patience: float | None, waited: float) -> Outcome:
    """Return the outcome of a program that goes by its own clock, and did not wait for longer than its `patience`.

    On a busy machine it may have ended before what was still to come: programs have `waited` for a CPU meanwhile, in
    seconds. Then nothing is known.
    """
    if patience is None or waited <= patience:
        return outcome
    return Outcome("unasked", f"{outcome.words}; too early: programs waited {waited:.1f} s for a CPU")
