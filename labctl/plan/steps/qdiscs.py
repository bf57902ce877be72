"""Steps that decide what becomes of packets that wait to be sent: netem, and other qdiscs."""

from __future__ import annotations

from labctl.engine.packets.impairment import Impairment
from labctl.frozen import frozen
from labctl.plan.facts import Link
from labctl.plan.steps.step import InterfaceStep, Removal, unless


@frozen
class _Netem(InterfaceStep):
    """What packets suffer that the interface sends."""

    impairment: Impairment

    @property
    def words(self) -> str:
        return f"netem {self.impairment}"


class SetNetem(_Netem):
    """Impairs, in place of whatever does so now."""

    def _on(self, link: Link) -> str | None:
        return unless(link.netem == self.impairment, f"is {link.netem}" if link.netem else "is not impaired")


class ClearNetem(Removal, _Netem):
    """Restores the qdisc that the interface was created with."""


@frozen
class DeleteQdisc(Removal, InterfaceStep):
    """A qdisc, with the filters and qdiscs below it."""

    kind: str
    place: str

    @property
    def words(self) -> str:
        return f"qdisc {self.kind}" + (f" at {self.place}" if self.place != self.kind else "")
