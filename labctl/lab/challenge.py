"""A challenge: faults that are hidden in a lab, for a student to find.

While it runs, nothing that labctl tells of the lab may give them away: not why checks fail, not how the lab differs
from its file, nor what would mend it. Whoever hands out one of these asks `hides` first; what would mend the lab
unseen asks `refuse_while_hidden`. Below that nothing knows of challenges, and above it no caller can forget to ask.

Which faults they are is not recorded: the topology, the seed and the level say it, to who can work it out
(learn/challenges). The challenge is over once all checks of the lab were run and have passed, and all that the lab is
made of is there: however that was reached.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from typing import TYPE_CHECKING

from labctl.errors import UsageError
from labctl.frozen import frozen
from labctl.lab.state import State
from labctl.process.disk import contents, kept_in, replace_text, unreadable

if TYPE_CHECKING:
    from labctl.checks.results import Result
    from labctl.plan.desired import Desired


@frozen
class Challenge:
    """A challenge of a lab, with how far it got. Times are seconds since the epoch; `solved` is 0 until it is."""

    topology: str  # as it was named: of those that ship, or a file
    seed: int
    level: int
    began: float
    failing: tuple[str, ...] = ()  # the checks that failed once it was set up
    missing: tuple[str, ...] = ()  # what the lab is made of and was not there then, in words
    hints: tuple[str, ...] = ()  # for each hint that was taken, which cause it was for, unreadably
    revealed: bool = False  # whether the answer was looked at
    solved: float = 0.0

    @property
    def seconds(self) -> float:
        """Return for how long it has run, or did."""
        return (self.solved or time.time()) - self.began


@frozen
class Standing:
    """How a challenge stands after checks were run, all or some. Where it is solved, `was` are the faults in words.

    `broken` is what was well when it began, and is not now; `missing` what the lab is made of and is not there.
    """

    challenge: Challenge
    every: bool
    broken: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    was: tuple[str, ...] = ()

    @property
    def solved(self) -> bool:
        """Return whether it is over."""
        return bool(self.challenge.solved)


def read(state: State) -> Challenge | None:
    """Return the challenge of a lab, None where it has none. Raise MachineError where its record is damaged."""
    written = contents(state.challenge)
    if written is None:
        return None
    try:
        values = json.loads(written)
        tuples = {key: tuple(value) for key, value in values.items() if isinstance(value, list)}
        return Challenge(**{**values, **tuples})
    except (ValueError, TypeError, AttributeError):
        raise unreadable(state.challenge, "it is damaged") from None


def write(state: State, challenge: Challenge) -> None:
    """Record a challenge, or how far it got. Raise MachineError."""
    with kept_in(state.directory):
        replace_text(state.challenge, json.dumps(asdict(challenge)))


def challenge_in(state: State) -> Challenge | None:
    """Return the challenge that runs in a lab, None where there is none, or it is solved."""
    found = read(state)
    return None if found is None or found.solved else found


def hides(state: State) -> bool:
    """Return whether causes and differences of a lab are not to be told."""
    return challenge_in(state) is not None


def refuse_while_hidden(state: State, command: str) -> None:
    """Raise UsageError where a command would mend a lab in which a challenge runs, or tell how."""
    if hides(state):
        raise UsageError(
            f"a challenge runs in lab {state.lab}: labctl {command} would give it away",
            "what is wrong is for you to find",
            "labctl hint helps; labctl challenge --end ends it, and the lab",
        )


def standing(state: State, wanted: Desired, results: Sequence[Result], every: bool) -> Standing | None:
    """Return how the challenge of a lab stands, given the results of checks, and record where that solves it.

    `every` says whether they are of all checks of the lab. None where no challenge runs.
    """
    challenge = challenge_in(state)
    if challenge is None:
        return None
    missing = tuple(missing_of(state, wanted))
    if every and not missing and all(result.passed for result in results):
        challenge = replace(challenge, solved=time.time())
        write(state, challenge)
    failed = [f"{each.name} fails" for each in results if each.asked and not each.passed]
    before = {*(f"{name} fails" for name in challenge.failing), *challenge.missing}
    broken = tuple(each for each in (*failed, *missing) if each not in before)
    return Standing(challenge, every, broken, missing)


def missing_of(state: State, wanted: Desired) -> Iterator[str]:
    """Yield what a lab is made of and is not there: namespaces, engines, programs."""
    from labctl.lab.observed import facts  # all that looks at the kernel, which asking for a challenge does without

    recorded = state.read()
    found = facts(state, recorded, wanted).namespaces
    for name in wanted.topology.namespaces:
        if name not in found:
            yield f"namespace {name} is gone"
    for device, engine in recorded.engines.items():
        if not engine.process.alive():
            yield f"the engine of {device} does not run"
    for ref, program in recorded.programs.items():
        if not program.process.alive():
            yield f"program {ref} does not run"
