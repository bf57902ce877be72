"""Which labs have ended beside one that runs, so that a second `down` is told from a misspelled name.

Nothing is left of a lab that has ended, so it is another one, which still runs, that knows of it. When that ends in its
turn, the next one is told what it knew.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial

from labctl.errors import LabError
from labctl.lab.names import no_lab
from labctl.lab.state import existing
from labctl.process.disk import contents
from labctl.rootless.context import Context, refuse_elsewhere
from labctl.topology.unknown_names import nearest

_FILE = "ended"


def refuse_misspelled(lab: str, running: Mapping[str, Context]) -> None:
    """Raise UsageError for a lab of another user, and for one that never ran and has a name much like one that runs."""
    refuse_elsewhere(lab)
    if nearest(lab, running) and not any(lab in context.call(partial(_known, it)) for it, context in running.items()):
        raise no_lab(lab, running)


@contextmanager
def remembered(lab: str, context: Context, others: Mapping[str, Context]) -> Iterator[None]:
    """Have one of the others know, once a lab has ended in the body, of it and of all that it knew itself."""
    if not others:
        yield
        return
    before = context.call(partial(_known, lab))
    yield
    other, where = next(iter(others.items()))
    with suppress(LabError, OSError):  # it may have ended meanwhile, and this one has ended well in any case
        where.call(partial(_remember, other, (*before, lab)))


def _remember(lab: str, ended: Iterable[str]) -> None:
    """Have a lab that runs know of labs that have ended. Raise UsageError where it runs no more."""
    with (existing(lab).directory / _FILE).open("a") as names:
        names.writelines(f"{name}\n" for name in ended)


def _known(lab: str) -> tuple[str, ...]:
    """Return the labs that have ended beside one that runs. Raise UsageError where it runs no more."""
    return tuple((contents(existing(lab).directory / _FILE) or b"").decode(errors="replace").splitlines())
