"""Steps as a diff: what is added, removed, changed."""

from __future__ import annotations

from collections.abc import Iterator

from rich.text import Text

from labctl.plan.commands import stand_in
from labctl.plan.options import SetOption
from labctl.plan.reasons import Change
from labctl.plan.steps import (
    AutomaticAddresses,
    ImpairEngine,
    NoAutomaticAddresses,
    Removal,
    SetMac,
    SetMaster,
    SetMtu,
    SetNetem,
    SetSysctl,
    SetUp,
)

_STYLES = {"+": "green", "-": "red", "~": "yellow"}
_CHANGES = (
    SetMac
    | SetMtu
    | SetMaster
    | SetNetem
    | SetSysctl
    | SetOption
    | SetUp
    | NoAutomaticAddresses
    | AutomaticAddresses
    | ImpairEngine
)


def lines(change: Change, fresh: bool, explain: bool) -> Iterator[Text]:
    """Yield the lines of a change, marked +, - or ~; with its reason unless `fresh`, with its command if asked for."""
    step = change.step
    mark = "-" if isinstance(step, Removal) else "~" if isinstance(step, _CHANGES) else "+"
    text = Text(f"{mark} {step.subject} {step.words}", _STYLES[mark])
    if not fresh:
        text.append(f"  ({change.reason})", "dim")
    yield text
    if explain:
        yield Text(f"    {change.command}", "dim")
        if other := stand_in(step):
            yield Text(f"    # without the dummy driver: {other}", "dim")
