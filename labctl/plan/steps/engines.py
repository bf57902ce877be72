"""Steps that start and end the engines of tunnels, and change what packets suffer in them."""

from __future__ import annotations

from labctl.engine.packets.impairment import Impairment
from labctl.frozen import frozen
from labctl.plan.engine_spec import Direction, EngineSpec
from labctl.plan.facts import Facts, Namespace
from labctl.plan.steps.step import InterfaceStep, Removal, unless

_NOT_RUNNING = "is not running"


@frozen
class _Engine(InterfaceStep):
    """The engine between a TUN device and a UDP socket of the same namespace."""

    spec: EngineSpec

    @property
    def words(self) -> str:
        return f"engine {self.spec.command}"


class StartEngine(_Engine):
    """The engine between a TUN device and a UDP socket of the same namespace."""

    action = "create"

    def _in(self, there: Namespace, facts: Facts) -> str | None:
        running = facts.engines.get(self.ref)
        if running is None:
            return _NOT_RUNNING
        if running.outdated:
            return running.outdated
        if not running.spec.can_become(self.spec):
            return f"runs as {running.spec.command}"
        return "is stopped" if running.stopped else None


@frozen
class StopEngine(Removal, _Engine):
    """Ends the engine of a TUN device; `stopped` where SIGSTOP has stopped it."""

    stopped: bool = False

    @property
    def words(self) -> str:
        return f"engine {self.spec.command}" + (" (stopped)" if self.stopped else "")


@frozen
class ImpairEngine(InterfaceStep):
    """What packets suffer in a running engine, in one direction."""

    direction: Direction
    impairment: Impairment
    before: Impairment

    @property
    def words(self) -> str:
        return f"engine impairs {self.direction} {self.impairment}"

    def _in(self, there: Namespace, facts: Facts) -> str | None:
        running = facts.engines.get(self.ref)
        if running is None:
            return _NOT_RUNNING
        found = running.impairments[self.direction]
        return unless(found == self.impairment, "is not impaired" if str(found) == "none" else f"is {found}")
