"""Steps as a diff: what is added, removed, changed."""

from __future__ import annotations

from collections.abc import Iterator

from rich.text import Text

from labctl.plan.change import Change

_MARKS = {"create": ("+", "green"), "change": ("~", "yellow"), "remove": ("-", "red")}


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
