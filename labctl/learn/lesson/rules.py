"""What must hold between the parts of a lesson, once each is right by itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from labctl.learn.faults import FAULTS
from labctl.learn.lesson.model import Lesson, Step
from labctl.topology.judge import Wrong
from labctl.topology.model import Topology
from labctl.topology.paths import Path
from labctl.topology.unknown_names import did_you_mean

Found = Iterator[Wrong]

_FAULTS = tuple(fault.name for fault in FAULTS)


def mistakes_of(lesson: Lesson, topologies: Sequence[Topology]) -> list[Wrong]:
    """Return what is wrong with a lesson, whose steps begin with these topologies."""
    found = list(_written_twice([step.name for step in lesson.steps], lambda at: ("steps", at, "name"), "step"))
    for number, (step, topology) in enumerate(zip(lesson.steps, topologies, strict=True)):
        at = ("steps", number)
        found += [Wrong((*at, *path), what, hint) for path, what, hint in _mistakes_of_step(step, topology)]
    return found


def _mistakes_of_step(step: Step, topology: Topology) -> Found:
    if not step.goals and step.predict is None:
        yield Wrong((), "this step has no goal", "it needs one of check, seen, typed, answer and predict")
    faults = [(at, setup.fault) for at, setup in enumerate(step.setup) if setup.fault is not None]
    for at, name in faults:
        if name not in _FAULTS:
            yield Wrong(("setup", at, "fault"), f"there is no fault {name!r}", did_you_mean(name, _FAULTS))
    if not step.solve and not faults and (step.check or step.seen or step.typed):
        yield Wrong((), "the key 'solve' is missing in a step", "one way to its goals, for those who skip it")
    names = [goal.name for goal in step.goals]
    kinds = [(kind, at) for kind in ("typed", "seen", "check", "answer") for at in range(len(getattr(step, kind)))]
    yield from _written_twice(names, lambda at: (*kinds[at], "name"), "goal")
    for number, hint in enumerate(step.hints):
        if hint.goal is not None and hint.goal not in names:
            what = f"this step has no goal {hint.goal!r}"
            yield Wrong(("hints", number, "goal"), what, did_you_mean(hint.goal, names))
    yield from _unknown_namespaces(step, topology)


def _written_twice(names: Sequence[str], place: Callable[[int], Path], kind: str) -> Found:
    for number, name in enumerate(names):
        if name in names[:number]:
            yield Wrong(place(number), f"there is another {kind} {name!r}", "names are for messages: let them differ")


def _unknown_namespaces(step: Step, topology: Topology) -> Found:
    named: list[tuple[Path, str | None]] = []
    for key in ("setup", "solve", "typed"):
        named += [((key, at, "in"), each.in_) for at, each in enumerate(getattr(step, key))]
    named += [
        (("answer", at, "measured", "in"), each.measured.in_) for at, each in enumerate(step.answer) if each.measured
    ]
    for path, name in named:
        if name is not None and name not in topology.namespaces:
            yield Wrong(path, f"there is no namespace {name!r}", did_you_mean(name, topology.namespaces))
    devices = [("setup", at, "impair", "device") for at, each in enumerate(step.setup) if each.impair]
    tunnels = [str(endpoint.device) for endpoint in topology.ttun]
    for path in devices:
        impair = step.setup[int(path[1])].impair
        if impair is not None and str(impair.device) not in tunnels:
            yield Wrong(path, f"{impair.device} is no tunnel endpoint", did_you_mean(str(impair.device), tunnels))
    for at, seen in enumerate(step.seen):
        space = topology.namespaces.get(seen.at.namespace)
        known = [f"{seen.at.namespace}:{name}" for name in ("lo", *(space.interfaces if space else ()))]
        if space is None or str(seen.at) not in known:
            yield Wrong(("seen", at, "at"), f"{str(seen.at)!r} does not exist", did_you_mean(str(seen.at), known))
