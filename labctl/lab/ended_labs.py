"""Which labs have ended beside one that runs, so that a second `down` is told from a misspelled name.

Nothing is left of a lab that has ended, so it is another one, which still runs, that knows of it. When that ends in its
turn, the next one is told what it knew.
"""

from __future__ import annotations

from collections.abc import Iterable

from labctl.lab.state import existing
from labctl.process.disk import contents

_FILE = "ended"


def remember(lab: str, ended: Iterable[str]) -> None:
    """Have a lab that runs know of labs that have ended. Raise UsageError where it runs no more."""
    with (existing(lab).directory / _FILE).open("a") as names:
        names.writelines(f"{name}\n" for name in ended)


def known(lab: str) -> tuple[str, ...]:
    """Return the labs that have ended beside one that runs. Raise UsageError where it runs no more."""
    return tuple((contents(existing(lab).directory / _FILE) or b"").decode(errors="replace").splitlines())
