"""Steps that start and end the engines of cables between hosts."""

from __future__ import annotations

from labctl.frozen import frozen
from labctl.plan.cable_spec import CableSpec
from labctl.plan.facts import Facts, Namespace
from labctl.plan.steps.step import InterfaceStep, Removal


@frozen
class _Cable(InterfaceStep):
    """The engine between a TAP device and a UDP socket of the host."""

    spec: CableSpec

    @property
    def words(self) -> str:
        return f"cable to {self.spec.peer} on {self.spec.host}"


class StartCable(_Cable):
    """The engine of an end of a cable, which waits to be joined with the other end."""

    action = "create"

    def _in(self, there: Namespace, facts: Facts) -> str | None:
        running = facts.cables.get(self.ref)
        if running is None:
            return "is not running"
        if running.spec != self.spec:
            return "has other ports" if running.spec.command == self.spec.command else f"runs as {running.spec.command}"
        return "is stopped" if running.stopped else None


@frozen
class StopCable(Removal, _Cable):
    """Ends the engine of an end of a cable; `stopped` where SIGSTOP has stopped it."""

    stopped: bool = False

    @property
    def words(self) -> str:
        return super().words + (" (stopped)" if self.stopped else "")
