"""How well a fault is explained: where, why and what to do, one point each.

`where` is a hop that a careful engineer would accept, `why` a reason. `do` is proved: what the diagnosis says is done
in the lab, after which the checks must pass; a mistake in the file is mended by whoever is told the right line of it.
A verdict is wrong where it names a reason that is not acceptable: unlike `unknown`, a person would go by it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import mean
from typing import Any

from labctl.diagnosis.reasons import Reason
from tests.diagnosis import by_hand
from tests.diagnosis.by_hand import Refused, RunningLab
from tests.diagnosis.fault import Control, Fault, Pair
from tests.e2e.world import World

LINE = re.compile(r"(?:\.yaml:|\blines? )(\d+)")
LOOKS = 2
ROUNDS = 3
"""How often a person repairs and looks again, where there are two faults."""


@dataclass(frozen=True)
class Score:
    """The points of one fault, each from 0 to 1, and what was said; `skipped` is why it could not be tried."""

    name: str
    where: float = 0
    why: float = 0
    do: float = 0
    wrong: bool = False
    unknown: bool = False
    told: tuple[str, ...] = ()
    skipped: str = ""

    @property
    def points(self) -> float:
        return self.where + self.why + self.do


def of_fault(here: World, fault: Fault) -> Score:
    """Return how well a single fault is explained. Raise AssertionError where its check does not fail."""
    return _score(here, fault.name, (fault,), rounds=1)


def of_pair(here: World, pair: Pair) -> Score:
    """Return how well two faults at once are explained, in the rounds that a person needs to mend both."""
    return _score(here, pair.name, (pair.first, pair.second), ROUNDS)


def of_control(here: World, control: Control) -> Score:
    """Return full points where nothing is said of a lab in which nothing is wrong, else what is said.

    Raise AssertionError where a check fails.
    """
    with by_hand.lab(here, control.lab, control.edits) as lab:
        lab.type(control.inject)
        verdict = lab.verify()
        assert verdict["passed"], [check["name"] for check in verdict["checks"] if not check["passed"]]
        said = tuple(map(_told, verdict.get("diagnosis", ())))
        quiet = float(not said)
        return Score(control.name, quiet, quiet, quiet, wrong=bool(said), told=said)


def _score(here: World, name: str, faults: Sequence[Fault], rounds: int) -> Score:
    try:
        with by_hand.lab(here, faults[0].lab, tuple(edit for fault in faults for edit in fault.edits)) as lab:
            for fault in faults:
                lab.type(fault.inject)
            found, mended = _repaired(lab, faults, rounds)
    except Refused as refused:
        if not any(fault.needs for fault in faults):
            raise
        return Score(name, skipped=str(refused))
    accepted = {pair for fault in faults for pair in fault.expected}
    return Score(
        name,
        where=mean(any(one["hop"] in dict(fault.expected) for one in found) for fault in faults),
        why=mean(any((one["hop"], one["reason"]) in fault.expected for one in found) for fault in faults),
        do=float(mended),
        wrong=any(one["reason"] not in {Reason.UNKNOWN, *(reason for _, reason in accepted)} for one in found),
        unknown=all(one["reason"] == Reason.UNKNOWN for one in found),
        told=tuple(map(_told, found)),
    )


def _repaired(lab: RunningLab, faults: Sequence[Fault], rounds: int) -> tuple[list[Any], bool]:
    """Return all that was said while the faults were mended, and whether the checks pass in the end."""
    checks = dict.fromkeys(fault.check for fault in faults)
    found: list[Any] = []
    verdict = lab.verify(*checks)
    assert not verdict["passed"], "the checks pass in spite of the fault"
    for _ in range(rounds):
        said = verdict.get("diagnosis", [])
        found += said
        for one in said:
            _mend(lab, one["fix"], faults)
        if not said:
            return found, False
        lab.forget_paths()
        verdict = _looked_again(lab, checks)
        if verdict["passed"]:
            return found, True
    return found, False


def _looked_again(lab: RunningLab, checks: Iterable[str]) -> Any:
    """Return what `verify` says after a repair; a neighbour that was asked in vain is asked again a moment later."""
    for _ in range(LOOKS):
        verdict = lab.verify(*checks)
        if verdict["passed"]:
            break
    return verdict


def _mend(lab: RunningLab, fix: str, faults: Sequence[Fault]) -> None:
    """Do what a diagnosis says: correct the line that it names, or type its command."""
    named = {int(number) for number in LINE.findall(fix)}
    lines = lab.text.splitlines()
    right = [
        edit
        for fault in faults
        if any(any(part in lines[number - 1] for part in fault.lines) for number in named if number <= len(lines))
        for edit in fault.edits
    ]
    if right:
        lab.correct(right)
    elif fix and not named:
        lab.do(fix)


def _told(one: Any) -> str:
    return f"{one['hop']}: {one['reason']}: {one['words']} -> {one['fix'] or 'no fix'}"
