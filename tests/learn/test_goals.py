"""What is reached, what stays so, and which hints are told, from what is known of the lab."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from labctl.learn.goals import goals_of, hints_of, is_done, lasting
from labctl.learn.lesson.model import Step
from labctl.learn.progress import StepProgress
from labctl.live.readings import Verdict
from labctl.live.state import CheckState, LabState

WRITTEN: dict[str, Any] = {
    "name": "step",
    "predict": {"question": "?", "choices": ["a", "b"], "right": "a"},
    "typed": [{"name": "looked", "description": "Look.", "in": "siteA", "command": "ip a"}],
    "seen": [{"name": "pinged", "description": "Ping.", "at": "siteA:lo", "count": 2}],
    "check": [{"name": "answers", "ping": {"from": "siteA", "to": "10.0.0.1"}}],
    "answer": [{"name": "ttl", "question": "?", "number": 64}],
    "hints": [
        "first",
        {"goal": "answers", "why": "is down", "text": "link"},
        {"goal": "answers", "why": "no route", "text": "route"},
        {"goal": "pinged", "text": "ping"},
    ],
}
STEP = Step.read(WRITTEN)
NEW = StepProgress("step", predicted="a")


def lab(verdict: Verdict | None, why: str = "", **matched: int) -> LabState:
    return LabState("x", checks={"answers": CheckState("answers", verdict, "seen", why)}, matched=matched)


def states(progress: StepProgress, known: LabState) -> dict[str, str]:
    return {goal.name: goal.state for goal in goals_of(STEP, progress, known)}


def test_a_goal_is_reached_by_what_happens() -> None:
    assert states(NEW, lab(None)) == dict.fromkeys(("looked", "pinged", "answers", "ttl"), "open")
    assert states(NEW, lab("failed", looked=1, pinged=1)) == {
        "looked": "reached", "pinged": "open", "answers": "failed", "ttl": "open",
    }  # fmt: skip
    assert states(NEW, lab("passed", pinged=2))["answers"] == "reached"
    assert states(NEW, lab("not-asked"))["answers"] == "failed", "a check that could not be asked has not passed"


def test_goals_are_told_in_the_order_in_which_they_are_written() -> None:
    orders = (["seen", "typed", "check", "answer"], ["answer", "check", "seen", "typed"])
    names = {"typed": "looked", "seen": "pinged", "check": "answers", "answer": "ttl"}
    for kinds in orders:
        step = Step.read({"name": "step"} | {kind: WRITTEN[kind] for kind in kinds}).replace()
        assert [goal.name for goal in goals_of(step, NEW, LabState("x"))] == [names[kind] for kind in kinds]


def test_what_was_seen_or_typed_stays_reached_and_a_check_does_not() -> None:
    goals = goals_of(STEP, NEW, lab("passed", looked=1, pinged=2))
    progress = replace(NEW, reached=lasting(STEP, goals))
    assert states(progress, lab("failed")) == {
        "looked": "reached", "pinged": "reached", "answers": "failed", "ttl": "open",
    }  # fmt: skip


def test_a_step_is_done_once_all_is_reached_at_one_time_and_predicted() -> None:
    progress = replace(NEW, reached=("ttl", "looked", "pinged"))
    assert is_done(STEP, progress, goals_of(STEP, progress, lab("passed")))
    assert not is_done(STEP, progress, goals_of(STEP, progress, lab("failed")))
    assert not is_done(STEP, replace(progress, predicted=""), goals_of(STEP, progress, lab("passed")))


def test_the_diagnosis_is_the_first_hint_and_others_fit_what_fails() -> None:
    known = lab("failed", "siteB:tun1: the interface is down", pinged=2)
    goals = goals_of(STEP, NEW, known)
    assert hints_of(STEP, goals, known) == ("labctl says: siteB:tun1: the interface is down", "first", "link")
    known = lab("passed")
    assert hints_of(STEP, goals_of(STEP, NEW, known), known) == ("first", "ping")
