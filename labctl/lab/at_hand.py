"""A lab, or what a host has of one, at hand: asked by who makes its checks elsewhere, for as long as that takes."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import closing, contextmanager

from labctl.checks.evidence import CountingPoint, Snapshot
from labctl.checks.probes import Probes
from labctl.checks.results import Outcome
from labctl.checks.system_tools import SystemTools
from labctl.kernel.lookup import NoWay, Way
from labctl.lab.gather_here import GatherHere
from labctl.lab.lock import asking
from labctl.lab.reconcile import pending
from labctl.lab.state import State, applied, existing
from labctl.lab.verify import AskedKernel, patience_of, snapshot
from labctl.plan.change import Change
from labctl.plan.desired import Desired, desired
from labctl.topology.interface_ref import InterfaceRef
from labctl.topology.model import Probe
from labctl.topology.values import Host


class AtHand(GatherHere):
    """What is asked of a lab for its checks, beside what is asked for why one has failed."""

    def __init__(self, state: State, wanted: Desired) -> None:
        super().__init__(state, wanted)
        self._patience, self._kernel = patience_of(state.read()), AskedKernel()

    def observe(self, points: Collection[CountingPoint]) -> Snapshot:
        """Wait until no engine has packets left to carry. Return the counters of these points as they are then."""
        for _ in self._patience(0).looks():
            pass
        return snapshot(self._state, points)

    def ask(self, probe: Probe) -> Outcome:
        """Make a probe whose namespaces are all here."""
        return Probes(self._patience).ask(probe)

    def ask_program(self, probe: Probe) -> Outcome:
        """Make a probe whose namespaces are all here, with the program of this machine for it."""
        return self._programs([probe]).ask(probe)

    def typed(self, probe: Probe) -> str:
        """Return what a person types for the same here."""
        return self._programs([probe]).typed(probe)

    def has_programs(self, probes: Sequence[Probe]) -> None:
        """Raise MachineError where a program for these probes is missing here, or is not known."""
        self._programs(probes)

    def _programs(self, probes: Sequence[Probe]) -> SystemTools:
        tools = SystemTools(self._patience)
        tools.prepare_for(probes)
        return tools

    def way(self, namespace: str, to: Host) -> Way | NoWay:
        """Return the way of a packet that a namespace sends."""
        return self._kernel.way(namespace, to)

    def resolved(self, ref: InterfaceRef, neighbour: str) -> bool:
        """Return whether nothing waits at an interface for the link-layer address of a neighbour."""
        return self._kernel.resolved(ref, neighbour)

    def pending(self) -> Sequence[Change]:
        """Return what `up` would do now."""
        return pending(self._wanted, self._state).changes


@contextmanager
def at_hand(lab: str) -> Iterator[AtHand]:
    """Yield a lab that lives here, while no other command makes checks of it. Raise LabError where there is none."""
    state = existing(lab)
    with asking(state), closing(AtHand(state, desired(applied(state)))) as here:
        yield here
