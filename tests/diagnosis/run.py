"""All faults of a list in one mode, several at once."""

from __future__ import annotations

import multiprocessing
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial

from tests.diagnosis import score
from tests.diagnosis.fault import Fault, Pair
from tests.diagnosis.score import Score
from tests.diagnosis.table import Scored
from tests.e2e.world import world

Job = tuple[str, Fault | Pair]
"""A class, and a fault of it."""


def run(mode: str, jobs: Sequence[Job], at_once: int) -> list[Scored]:
    """Return the scores of all; each process has a user of its own in the rootless mode."""
    with ProcessPoolExecutor(at_once, multiprocessing.get_context("spawn")) as pool:
        return list(pool.map(partial(_scored, mode), jobs))


def _scored(mode: str, job: Job) -> Scored:
    kind, what = job
    with world(mode) as here:
        try:
            return kind, score.of_pair(here, what) if isinstance(what, Pair) else score.of_fault(here, what)
        except AssertionError as failed:
            return kind, Score(what.name, skipped=f"no fault: {failed}")
