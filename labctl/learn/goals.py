"""Which goals of a step are reached, and which hints fit: pure, from what the step asks for and what is known.

A check holds or does not: what is undone is open again. What was seen, typed or answered stays reached.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from labctl.learn.lesson.model import Answer, Hint, Seen, Step, Typed
from labctl.learn.progress import StepProgress
from labctl.live.state import CheckState, LabState
from labctl.report.lesson import Goal, GoalState
from labctl.topology.model import Check
from labctl.trace.pattern import PacketPattern


def goals_of(step: Step, progress: StepProgress, lab: LabState) -> tuple[Goal, ...]:
    """Return the goals of a step as they stand."""
    return tuple(_goal(goal, progress, lab) for goal in step.goals)


def _goal(goal: Check | Seen | Typed | Answer, progress: StepProgress, lab: LabState) -> Goal:
    match goal:
        case Check():
            found = lab.checks.get(goal.name) or CheckState(goal.name)
            states: Mapping[str | None, GoalState] = {"passed": "reached", "failed": "failed", "not-asked": "failed"}
            return Goal(goal.name, goal.description or goal.name, states.get(found.verdict, "open"), found.observed)
        case Seen():
            count = lab.matched.get(goal.name, 0)
            is_watched = goal.count > 1 and goal.name in lab.matched
            observed = f"{count} of {goal.count} packets at {goal.at}" if is_watched else ""
            return Goal(goal.name, goal.description, _once(goal.name, count >= goal.count, progress), observed)
        case Typed():
            return Goal(goal.name, goal.description, _once(goal.name, lab.matched.get(goal.name, 0) > 0, progress))
        case Answer():
            return Goal(goal.name, goal.question, _once(goal.name, False, progress))


def _once(name: str, is_reached: bool, progress: StepProgress) -> GoalState:
    return "reached" if is_reached or name in progress.reached else "open"


def is_done(step: Step, progress: StepProgress, goals: Sequence[Goal]) -> bool:
    """Return whether a step is done: all its goals are reached at one time, and what it asks beforehand is answered."""
    return (step.predict is None or bool(progress.predicted)) and all(goal.state == "reached" for goal in goals)


def lasting(step: Step, goals: Sequence[Goal]) -> tuple[str, ...]:
    """Return the names of the goals that are reached, and stay so."""
    checks = {check.name for check in step.check}
    return tuple(goal.name for goal in goals if goal.state == "reached" and goal.name not in checks)


def hints_of(step: Step, goals: Sequence[Goal], lab: LabState) -> tuple[str, ...]:
    """Return the hints for what is not reached, in order: first what the diagnosis says of a check that fails."""
    return (*_diagnosed(goals, lab), *(hint.text for hint in step.hints if _fits(hint, goals, lab)))


def _diagnosed(goals: Sequence[Goal], lab: LabState) -> Iterator[str]:
    """Yield what is known of the first check that fails, if it is known."""
    whys = (lab.checks[goal.name].why for goal in goals if goal.state == "failed" and goal.name in lab.checks)
    why = next(filter(None, whys), "")
    if why:
        yield f"labctl says: {why}"


def _fits(hint: Hint, goals: Sequence[Goal], lab: LabState) -> bool:
    if hint.goal is None:
        return True
    goal = next(goal for goal in goals if goal.name == hint.goal)
    found = lab.checks.get(hint.goal)
    return goal.state != "reached" and (hint.why is None or bool(found and re.search(hint.why, found.why)))


def patterns_of(step: Step) -> dict[str, PacketPattern]:
    """Return the packets that a step waits for, by the name of the goal."""
    return {
        seen.name: PacketPattern(
            seen.at,
            protocol=seen.protocol or "",
            source=str(seen.from_ or ""),
            destination=str(seen.to or ""),
            port=seen.port or 0,
            message=seen.message or "",
            larger=seen.larger,
            length=seen.length or 0,
            fragment=seen.fragment,
        )
        for seen in step.seen
    }


def commands_of(step: Step) -> dict[str, tuple[str, str]]:
    """Return the commands that a step waits for, by the name of the goal: a namespace and a pattern."""
    return {typed.name: (typed.in_, typed.command) for typed in step.typed}
