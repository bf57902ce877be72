"""Every fault is explained: where, why, what to do; and nothing is said where nothing is wrong.

The faults of a class are tried at once, because they mostly wait. Each is tried in one mode: a diagnosis is the same
code in both, which differ in how a lab is entered. `make faults` tries all of them in both and prints the table.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import chain
from statistics import mean
from zlib import crc32

import pytest

from labctl.diagnosis.reasons import Reason
from tests.diagnosis import faults, held_out
from tests.diagnosis.controls import CONTROLS
from tests.diagnosis.fault import Control, Fault, Pair
from tests.diagnosis.run import Job, run
from tests.diagnosis.score import Score
from tests.diagnosis.table import line, table
from tests.e2e.world import SUITE_IS_ROOT

pytestmark = pytest.mark.timeout(600)  # a test is a dozen labs, each with its time-outs

AT_ONCE = 4
MEAN = 2.7
"""Points of three that are reached at least."""
NAMED = 0.95
"""The share of faults whose place and reason are named."""
MEAN_OF_HELD_OUT = 2.5


def scores(kind: str, tried: Iterable[Fault | Pair | Control]) -> list[Score]:
    """Return the scores of those that could be tried, each in its mode."""
    return [one for _, one in run([Job(mode_of(each.name), kind, each) for each in tried], AT_ONCE) if not one.skipped]


def mode_of(name: str) -> str:
    """Return the mode in which a fault is tried: root for one half of the names, whatever else there is."""
    return "root" if SUITE_IS_ROOT and crc32(name.encode()) % 2 else "rootless"


def are_explained(scored: list[Score]) -> None:
    """Assert that none is explained wrongly, and how many are named and mended."""
    missed = told(scored)
    assert not any(one.wrong for one in scored), missed
    assert sum(one.where == one.why == 1 for one in scored) >= int(NAMED * len(scored)), missed
    assert mean(one.points for one in scored) >= MEAN, missed


def told(scored: Iterable[Score]) -> str:
    """Return what was said of those that were not explained in full."""
    return "\n".join(line(("", one)) for one in scored if one.points < 3 or one.wrong)


def of(by_class: Mapping[str, Iterable[Fault]]) -> list[Fault]:
    """Return the faults of all classes."""
    return list(chain.from_iterable(by_class.values()))


def test_there_are_faults_of_every_reason() -> None:
    known, held = of(faults.BY_CLASS), of(held_out.BY_CLASS)
    at_first = len(known) + len(held) - len(faults.BY_CLASS[faults.AFTERWARDS])
    assert at_first >= 110 and len(held) >= at_first // 3, "a third is held out"
    assert len(faults.PAIRS) + len(held_out.PAIRS) >= 20
    named = {reason for fault in (*known, *held) for _, reason in fault.expected}
    assert set(Reason) - named == {Reason.UNKNOWN, Reason.ENGINE_DROP}


@pytest.mark.parametrize("kind", faults.BY_CLASS)
def test_a_fault_is_named_and_mended(kind: str) -> None:
    are_explained(scores(kind, faults.BY_CLASS[kind]))


def test_two_faults_are_mended_one_after_the_other() -> None:
    scored = scores("pairs", faults.PAIRS)
    missed = told(scored)
    assert not any(one.wrong for one in scored), missed
    assert mean(one.points for one in scored) >= MEAN and all(one.do for one in scored), missed


def test_nothing_is_said_where_nothing_is_wrong() -> None:
    are_explained(scores("controls", CONTROLS[::3]))


def test_faults_that_the_diagnosis_was_not_built_on() -> None:
    scored = scores("held out", of(held_out.BY_CLASS)[::2])  # all of them by `make faults`
    assert mean(one.points for one in scored) >= MEAN_OF_HELD_OUT, table([("held out", one) for one in scored])
