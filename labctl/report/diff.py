"""Steps as a diff: what comes, what goes, what becomes different."""

from __future__ import annotations

from rich.text import Text

from labctl.plan.steps import NoAutomaticAddresses, Removal, SetMac, SetMaster, SetMtu, SetSysctl, SetUp, Step

_STYLES = {"+": "green", "-": "red", "~": "yellow"}
_CHANGES = SetMac | SetMtu | SetMaster | SetSysctl | SetUp | NoAutomaticAddresses


def line(step: Step) -> Text:
    """One step, marked + or -, or ~ where it sets a property."""
    mark = "-" if isinstance(step, Removal) else "~" if isinstance(step, _CHANGES) else "+"
    return Text(f"{mark} {step.subject} {step.words}", _STYLES[mark])
