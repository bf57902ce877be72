"""Which model is at a path of the front matter, for the words of a mistake; the schema is of the same models."""

from __future__ import annotations

from pydantic import BaseModel

from labctl.learn.lesson.model import (
    Answer,
    Hint,
    Impairment,
    Lesson,
    Measured,
    Prediction,
    Seen,
    Setup,
    Solution,
    Step,
    Typed,
    Variable,
)
from labctl.topology.yaml_tree import Path


def model_at(path: Path, location: tuple[str | int, ...]) -> tuple[type[BaseModel], str]:
    """Return the model of the mapping at a path, and what messages call it."""
    match path:
        case ("vars", _):
            return Variable, "a variable"
        case ("steps", _):
            return Step, "a step"
        case ("steps", _, "setup", _):
            return Setup, "an item of `setup`"
        case ("steps", _, "setup", _, "impair"):
            return Impairment, "an impairment"
        case ("steps", _, "predict"):
            return Prediction, "a prediction"
        case ("steps", _, "seen", _):
            return Seen, "an item of `seen`"
        case ("steps", _, "typed", _):
            return Typed, "an item of `typed`"
        case ("steps", _, "answer", _):
            return Answer, "an answer"
        case ("steps", _, "answer", _, "measured"):
            return Measured, "`measured`"
        case ("steps", _, "hints", _):
            return Hint, "a hint"
        case ("steps", _, "solve", _) | ("steps", _, "hints", _, "after", _):
            return Solution, "an item of `solve`"
    return Lesson, "a lesson"
