"""Which labs have ended beside one that runs, so that a second `down` is told from a misspelled name.

Nothing is left of a lab that has ended, so its name is recorded in the state of another one, which still runs. When
that ends in its turn, its record is handed on to the next.
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
    if nearest(lab, running) and not any(lab in _ended_beside(it, context) for it, context in running.items()):
        raise no_lab(lab, running)


@contextmanager
def remembered(lab: str, context: Context, others: Mapping[str, Context]) -> Iterator[None]:
    """Once a lab has ended in the body, record it in one of the others, with all that it had recorded itself."""
    if not others:
        yield
        return
    before = _ended_beside(lab, context)
    yield
    other, where = next(iter(others.items()))
    with suppress(LabError, OSError):  # it may have ended meanwhile, and this one has ended well in any case
        where.call(partial(_remember, other, (*before, lab)))


def _remember(lab: str, ended: Iterable[str]) -> None:
    """Record labs that have ended in one that runs. Raise UsageError where it does not run any more."""
    with (existing(lab).directory / _FILE).open("a") as names:
        names.writelines(f"{name}\n" for name in ended)


def _ended_beside(lab: str, context: Context) -> tuple[str, ...]:
    """Return the labs that have ended beside one; none where it has ended, too, or their record is damaged."""
    try:
        return context.call(partial(_known, lab))
    except LabError:
        return ()


def _known(lab: str) -> tuple[str, ...]:
    """Return the labs that have ended beside one that runs. Raise LabError where it does not, or that is damaged."""
    return tuple((contents(existing(lab).directory / _FILE) or b"").decode(errors="replace").splitlines())
