"""A lab, or what a host has of one, at hand: asked by who makes its checks elsewhere, for as long as that takes."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import closing, contextmanager
from operator import attrgetter
from typing import Any

from labctl.checks.evidence import CountingPoint, Snapshot
from labctl.checks.kinds.nc_apart import Half, call
from labctl.checks.probes import Probes
from labctl.checks.results import Outcome
from labctl.errors import LabError
from labctl.lab.gather_here import GatherHere
from labctl.lab.lock import asking
from labctl.lab.reconcile import pending
from labctl.lab.state import State, applied, existing
from labctl.lab.verify import AskedKernel, patience_of, snapshot
from labctl.plan.change import Change
from labctl.plan.desired import Desired, desired
from labctl.topology.model import Nc, Probe


class AtHand:
    """What is asked of a lab: for its checks, and, of `gather`, for why one has failed."""

    def __init__(self, state: State, wanted: Desired, gather: GatherHere) -> None:
        self._state, self._wanted = state, wanted
        self._patience = patience_of(state.read())
        self.gather, self.kernel = gather, AskedKernel()

    def answer(self, asked: str, *about: Any) -> Any:
        """Return the answer to a question, a LabError where there is none: `gather.look_ups`, for one."""
        try:
            return attrgetter(asked)(self)(*about)
        except LabError as error:
            return error

    def now(self) -> int:
        """Return the time of this host, in nanoseconds since the epoch."""
        return time.time_ns()

    def observe(self, points: Collection[CountingPoint]) -> Snapshot:
        """Wait until no engine has packets left to carry. Return the counters of these points as they are then."""
        for _ in self._patience(0).looks():
            pass
        return snapshot(self._state, points)

    def ask(self, probe: Probe) -> Outcome:
        """Make a probe whose namespaces are all here."""
        return Probes(self._patience).ask(probe)

    def call(self, probe: Nc) -> Half:
        """Be the client of a probe whose server is on another host."""
        return call(probe, self._patience)

    def pending(self) -> Sequence[Change]:
        """Return what `up` would do now."""
        return pending(self._wanted, self._state).changes


@contextmanager
def at_hand(lab: str) -> Iterator[AtHand]:
    """Yield a lab that lives here, while no other command makes checks of it. Raise LabError where there is none."""
    state = existing(lab)
    with asking(state):
        wanted = desired(applied(state))
        with closing(GatherHere(state, wanted)) as gather:
            yield AtHand(state, wanted, gather)
