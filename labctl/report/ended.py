"""What `down` has removed of a lab, for a person: one line."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from labctl.report.style import BOLD, shown, styled

if TYPE_CHECKING:
    from labctl.lab.events import Removed

MOST_NAMED = 12
"""What is gone is named up to this many; more is only counted."""


def show(removed: Sequence[Removed], lab: str) -> None:
    """Print what was removed of a lab."""
    print(f"{styled(lab, BOLD, sys.stdout)} is down: {shown(_named_or_counted(removed))}")


def _named_or_counted(removed: Sequence[Removed]) -> str:
    """Return what is gone by name; where it is much, how many there are of each kind."""
    if len(removed) <= MOST_NAMED:
        return ", ".join(found.what for found in removed) or "nothing was left of it"
    kinds = Counter(found.kind for found in removed)
    return ", ".join(
        f"{number} {kind}{'' if number == 1 else 'es' if kind.endswith('s') else 's'}" for kind, number in kinds.items()
    )
