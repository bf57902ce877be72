"""Steps as a diff: what is added, removed, changed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from rich.text import Text

from labctl.plan.change import Change
from labctl.plan.steps import StartEngine, StopEngine

_MARKS = {"create": ("+", "green"), "change": ("~", "yellow"), "remove": ("-", "red")}


def differences(changes: Iterable[Change]) -> Iterator[Text]:
    """Yield a line for each difference of a lab from its file, by what takes it away.

    An engine that is stopped is there, and the same: it is no other one that is missing, though another one is started.
    """
    stopped = {change.step.ref for change in changes if isinstance(change.step, StopEngine) and change.step.stopped}
    for change in changes:
        step = change.step
        if isinstance(step, StopEngine) and step.ref in stopped:
            continue
        if isinstance(step, StartEngine) and step.ref in stopped:
            mark, style = _MARKS["change"]
            yield Text.assemble(
                (f"{mark} {step.subject} {step.words}", style), ("  (is stopped: it forwards nothing)", "dim")
            )
        else:
            yield from lines(change, fresh=False, explain=False)


def lines(change: Change, fresh: bool, explain: bool) -> Iterator[Text]:
    """Yield the lines of a change, marked +, - or ~; with its reason unless `fresh`, with its command if asked for."""
    step = change.step
    mark, style = _MARKS[step.action]
    text = Text(f"{mark} {step.subject} {step.words}", style)
    if not fresh:
        text.append(f"  ({change.reason})", "dim")
    yield text
    if explain:
        from labctl.plan.commands import stand_in

        yield Text(f"    {change.command}", "dim")
        if other := stand_in(step):
            yield Text(f"    # without the dummy driver: {other}", "dim")
