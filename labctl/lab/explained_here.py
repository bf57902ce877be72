"""Who explains the checks of a lab that lives here."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager

from labctl.lab.explain import Explainer
from labctl.lab.file_lines import file_of
from labctl.lab.gather_here import GatherHere
from labctl.lab.state import State
from labctl.plan.desired import Desired
from labctl.topology.model import Check


@contextmanager
def explainer(state: State, wanted: Desired, checks: Sequence[Check]) -> Iterator[Explainer]:
    """Yield who watches the namespaces on the ways of some checks, and explains those that fail."""
    with closing(GatherHere(state, wanted)) as gather:
        yield Explainer(gather, file_of(state.read().file, wanted), wanted, checks)
