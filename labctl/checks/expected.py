"""What the counters of a lab have to show of one check, and whether they do; pure.

It is worked out once for a check: the counting points of its way there and back, those that have to be quiet, and how
many packets have to be counted. Counters are compared with it as often as they are read.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from labctl.checks import evidence as ev
from labctl.checks.kinds import AtLeast, Counts, Number, kind_of
from labctl.checks.results import WANTED, Carried, Evidence
from labctl.frozen import frozen
from labctl.plan.desired import Desired
from labctl.topology.interface_ref import InterfaceRef
from labctl.topology.model import Check, Topology


@frozen
class Judgement:
    """What was counted in place of what was expected."""

    evidence: tuple[Evidence, ...]

    @property
    def holds(self) -> bool:
        """Return whether everything was counted as expected."""
        return all(found.holds for found in self.evidence)


@frozen
class Expected:
    """The counting points of a check, and the packets that each has to count; None where only the protocol knows."""

    there: Sequence[ev.CountingPoint]
    back: Sequence[ev.CountingPoint]
    quiet: Sequence[ev.CountingPoint]
    packets: Counts
    chatty: frozenset[InterfaceRef]  # those that carry more than the probe
    silent: bool  # whether no reply is to come back

    @classmethod
    def of(cls, desired: Desired, check: Check) -> Expected:
        """Return what is expected of a check in a lab."""
        engines = [endpoint.device for endpoint in desired.topology.ttun if endpoint.engine is None]
        return cls(
            ev.row(check.crosses, engines),
            ev.row_back(check.crosses, engines),
            ev.silence(check.quiet, engines),
            _counts(desired, check),
            frozenset(ref for ref in (*check.crosses, *check.quiet) if _is_chatty(desired.topology, ref)),
            WANTED[check.expect] == "silent",
        )

    @property
    def points(self) -> tuple[ev.CountingPoint, ...]:
        """Return all that has to be read."""
        return (*self.there, *self.back, *self.quiet)

    def judge(self, meanwhile: ev.Meanwhile, carried: Carried | None = None) -> Judgement:
        """Return what the counters show of the check between two moments, in which its probe has `carried` requests."""
        there = self._counted(self.there, _resolved(self.packets.there, carried), meanwhile)
        answers = replace(meanwhile, crossed=meanwhile.crossed.without_refusals()) if self.silent else meanwhile
        back = self._counted(self.back, _resolved(self.packets.back, carried), answers)
        quiet = ev.within(self.quiet, Carried(0, 0), frozenset(), meanwhile)
        return Judgement((*there, *back, *quiet))

    def may_be_of_neighbours(self, counted: Sequence[Evidence]) -> bool:
        """Return whether all that is wrong may be ARP or neighbour discovery: too much, and on interfaces with those.

        Whoever was spoken to is asked again some seconds later whether it is still there (net/core/neighbour.c:
        neigh_timer_handler, delay_first_probe_time), which may be while another check is counted.
        """
        chatty, wrong = {str(ref) for ref in self.chatty}, [found for found in counted if not found.holds]
        return bool(wrong) and all(found.too_many and found.place in chatty for found in wrong)

    def _counted(
        self, points: Sequence[ev.CountingPoint], number: Carried | None, meanwhile: ev.Meanwhile
    ) -> list[Evidence]:
        if number is None:
            return ev.conserved(points, meanwhile)
        if number == Carried(0, None):
            return []
        return ev.within(points, number, self.chatty, meanwhile)


def _resolved(number: Number, carried: Carried | None) -> Carried | None:
    """Return how many packets have to be counted; None where only the protocol knows."""
    if isinstance(number, int):
        return Carried(number, number)
    if isinstance(number, AtLeast):
        return Carried(number.packets, None)
    if number is None or carried is None:
        return None
    most = None if carried.most is None else carried.most * number.packets
    return Carried(carried.least * number.packets, most)


def _is_chatty(topology: Topology, ref: InterfaceRef) -> bool:
    """Return whether an interface carries ARP or neighbour discovery beside the packets of a probe."""
    return topology.namespaces[ref.namespace].interfaces[ref.interface].kind not in ("tun", "lo")


def _counts(desired: Desired, check: Check) -> Counts:
    """Return how many packets have to go and to come back; None where only the protocol knows."""
    if not check.crosses:
        return Counts(0, 0)
    leaving, arriving = desired.mtus.of(check.crosses[0]), desired.mtus.of(check.crosses[-1])
    return kind_of(check.probe).counts(WANTED[check.expect], leaving, arriving)
