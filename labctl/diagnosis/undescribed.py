"""Packets that go through an interface that the file does not describe, as a tunnel that a line of `exec:` has made.

What lies behind it is not known. So no cause is named that the file would have, only where the packets were seen last.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from labctl.diagnosis.facts import Case
from labctl.diagnosis.last_seen import refusals
from labctl.diagnosis.path import Stage
from labctl.diagnosis.reasons import Reason
from labctl.diagnosis.verdict import Verdict, Witness
from labctl.kernel.lookup import Way
from labctl.plan.left_alone import is_described
from labctl.topology.interface_ref import InterfaceRef


def way_through(case: Case, stages: Iterable[Stage]) -> Iterator[Verdict]:
    """Yield that the kernel's way of a packet at one of these stages leads through such an interface."""
    for stage in stages:
        way = case.ways.get(stage)
        link = case.link(InterfaceRef(stage.namespace, way.interface)) if isinstance(way, Way) else None
        if link is None or is_described(link):
            continue
        ref = InterfaceRef(stage.namespace, link.name)
        words = f"packets go through {ref}, which the file does not describe; what took them behind it is not known"
        kind = Witness(str(ref), "kind", link.kind or "none")
        yield Verdict(str(ref), Reason.UNKNOWN, words, (*_last_seen(case), *refusals(case), kind), "")


def _last_seen(case: Case) -> Iterator[Witness]:
    lost = [probe for probe in case.probes if probe.sightings]
    if not lost:
        yield Witness(case.asked.sender, "sent", "no packet of the probe was seen on the wire")
        return
    station = max((probe.sightings[-1] for probe in lost), key=lambda sighting: sighting.at).station
    there = sum(probe.sightings[-1].station == station for probe in lost)
    verb = "left" if station.outgoing else "arrived"
    yield Witness(str(station.ref), verb, f"{there} packet{'s' * (there != 1)} seen on the wire, and nowhere later")
