"""All faults of a list, several at once."""

from __future__ import annotations

import multiprocessing
import random
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import NamedTuple

from tests.diagnosis import score
from tests.diagnosis.fault import Control, Fault, Pair
from tests.diagnosis.score import Score
from tests.diagnosis.table import Scored
from tests.e2e import world
from tests.e2e.world import World


class Job(NamedTuple):
    """A fault of a class, and the mode of the lab that has it."""

    mode: str
    kind: str
    what: Fault | Pair | Control


def run(jobs: Sequence[Job], at_once: int) -> list[Scored]:
    """Return the scores of all. Most of their time is spent waiting, so more at once than there are CPUs are faster."""
    with ProcessPoolExecutor(at_once, multiprocessing.get_context("fork"), _another_person) as pool:
        return list(pool.map(_scored, jobs))


def _another_person() -> None:
    """Be a user that no other process of the pool is: what a user has is found by its user."""
    if world.SUITE_IS_ROOT:
        random.seed()  # a fork continues the random numbers of its parent
        world.ORDINARY_UID = world.unused_uid()


def _scored(job: Job) -> Scored:
    mode, kind, what = job
    with world.world(mode) as here:
        try:
            return kind, _score(here, what)
        except Exception as failed:  # a defect of labctl costs the points of one fault, and not the whole table
            return kind, Score(what.name, unknown=True, told=(f"failed: {failed}",))


def _score(here: World, what: Fault | Pair | Control) -> Score:
    match what:
        case Fault():
            return score.of_fault(here, what)
        case Pair():
            return score.of_pair(here, what)
        case Control():
            return score.of_control(here, what)
