"""The faults of a lab, one after the other in one lab that stays: hidden, diagnosed, hinted, and mended.

    python -m tests.learn.bed TOPOLOGY SEED FAULT... [--whole | --pairs]

It runs as a program in a world, and writes a JSON object for each fault. With --whole each is a challenge, with its
hints and all checks; else the check that it shows in is all that is asked. With --pairs each is the first of two.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence
from typing import Any

from labctl.api.lab import Lab
from labctl.errors import LabError, UsageError
from labctl.lab.challenge import Challenge
from labctl.learn.challenges.challenge import hide
from labctl.learn.challenges.choice import Placed, choose, placed
from labctl.learn.challenges.hints import STAGES, hint
from labctl.learn.changes import perform
from labctl.learn.faults import FAULTS
from labctl.learn.faults.layout import Layout
from labctl.topology.model import Topology
from tests.diagnosis.by_hand import text_of

LOOKS = 3
"""How often the checks are run after a repair: a neighbour that was asked in vain is asked again a moment later."""

SEEDS = 3000


def main() -> None:
    """Do what the arguments ask for."""
    topology, number, *names = [word for word in sys.argv[1:] if not word.startswith("--")]
    asked = Topology.loads(text_of(topology))
    lab = Lab.up(asked)
    play = _pair if "--pairs" in sys.argv else _whole if "--whole" in sys.argv else _shown
    for name in names:
        try:
            found = play(lab, asked, name, int(number))
        except LabError as failed:
            found = {"shows": False, "failed": str(failed), "drift": [], "mended": False}
        print(json.dumps({"fault": name, **found}), flush=True)
        if found["drift"] or not found["mended"]:
            lab = Lab.up(asked, fresh=True)
    lab.down()


def _shown(lab: Lab, topology: Topology, name: str, seed: int) -> dict[str, Any]:
    one = placed(topology, name, seed)
    for change in one.injected.changes:
        perform(lab, change)
    verified = lab.verify(one.injected.check)
    named = [(verdict.hop, verdict.reason) for verdict in verified.diagnosis]
    return {"shows": not verified.passed, **_named(one, named), **_mended(lab, one, [one.injected.check])}


def _named(one: Placed, named: list[Any]) -> dict[str, Any]:
    expected = sorted((hop, str(reason)) for hop, reason in one.injected.expected)
    return {"named": named, "right": any(each in one.injected.expected for each in named), "expected": expected}


def _mended(lab: Lab, one: Placed, checks: list[str]) -> dict[str, Any]:
    for change in one.injected.solve:
        perform(lab, change)
    verified = lab.verify(*checks)
    standing = verified.challenge
    for _ in range(LOOKS):
        if verified.passed:
            break
        verified = lab.verify(*checks)
        standing = verified.challenge
    drift = [f"{change.step.subject}: {change.step.words}" for change in verified.drift]
    return {"mended": verified.passed, "drift": drift, "solved": bool(standing and standing.solved)}


def _whole(lab: Lab, topology: Topology, name: str, turn: int) -> dict[str, Any]:
    """Play the challenge of the seed that has a fault for so many times, alone."""
    layout = Layout(topology)
    level = next(fault.level for fault in FAULTS if fault.name == name)
    fitting = (seed for seed in range(SEEDS) if [one.fault.name for one in choose(layout, seed, level)] == [name])
    seed = [seed for seed, _ in zip(fitting, range(turn), strict=False)][-1]
    (one,) = choose(layout, seed, level)
    hide(lab, Challenge(topology.name, seed, level, time.time()), topology, (one,))
    verified = lab.verify(one.injected.check)
    told = (*verified.diagnosis, *verified.drift, *(each.lost for each in verified.results if each.lost))
    hints = [hint(lab.name) for _ in range(STAGES)]
    found = {"shows": not (verified.passed or told), "stages": [each.stage for each in hints]}
    found |= {**_named(one, [hints[-1].cause]), **_mended(lab, one, [])}
    try:
        hint(lab.name)
    except UsageError:
        return found
    raise AssertionError("a hint was given once it was solved")


def _pair(lab: Lab, topology: Topology, name: str, turn: int) -> dict[str, Any]:
    """Play a challenge of two faults of which this is the first: each is what a hint is about, until it is mended."""
    layout = Layout(topology)
    pairs = ((seed, choose(layout, seed, 3)) for seed in range(SEEDS))
    fitting = ((seed, found) for seed, found in pairs if len(found) == 2 and found[0].fault.name == name)
    seed, found = [pair for pair, _ in zip(fitting, range(turn), strict=False)][-1]
    hide(lab, Challenge(topology.name, seed, 3, time.time()), topology, found)
    first = _hinted(lab, found)
    for change in first.injected.solve:
        perform(lab, change)
    last = _hinted(lab, [one for one in found if one is not first])
    told = {"shows": True, "with": [one.fault.name for one in found], "named": [], "right": True}
    return {**told, **_mended(lab, last, [])}


def _hinted(lab: Lab, faults: Sequence[Placed]) -> Placed:
    """Return which of some faults a hint is about. Raise LabError where it is about none."""
    cause = hint(lab.name).cause
    for one in faults:
        if cause in one.injected.expected:
            return one
    raise LabError(f"a hint is about {cause}, and no fault is there")


if __name__ == "__main__":
    main()
