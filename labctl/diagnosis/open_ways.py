"""The way of a probe where routes of the file have several next hops: by those that its packets have taken."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from labctl.diagnosis.gather import Gather, LookUp
from labctl.diagnosis.path import Asked, Kind, Paths, Stage
from labctl.diagnosis.taken import Taken, left_by, waiting
from labctl.diagnosis.translations import Followed
from labctl.kernel.flow import Flow
from labctl.kernel.lookup import Way
from labctl.plan.facts import Namespace
from labctl.topology.interface_ref import InterfaceRef
from labctl.trace.sightings import Journey

_Seen = tuple[Sequence[Journey], Sequence[Journey], Sequence[Journey]]
"""All packets, those of a probe, and those that answer them."""


def taken(
    gather: Gather, paths: Paths, asked: Asked, followed: Followed, seen: _Seen, found: Mapping[str, Namespace]
) -> tuple[Stage, ...]:
    """Return the stages of a probe, as `Paths.stages` does, by the next hops that its packets take."""
    every, probes, answers = seen
    lost = left_by(probes, asked.receiver) | left_by(answers, asked.sender)
    chosen: set[InterfaceRef] = set()
    while True:
        sure = lost, left_by((*probes, *answers)), frozenset(chosen), waiting(every, found)
        stages = paths.taking(Taken(sure)).stages(asked, followed)
        more = set(_chosen(gather, stages)) - chosen
        if not more:
            return stages
        chosen |= more


def _chosen(gather: Gather, stages: Sequence[Stage]) -> Iterator[InterfaceRef]:
    """Yield the interfaces that the kernel chooses for the flows that are known as a whole."""
    known = [each for each in stages if each.is_open and (each.depth or each.flow.protocol.endswith("icmp"))]
    ways = gather.look_ups([LookUp(each.namespace, _as_chosen(each), each.arrives) for each in known]) if known else ()
    for stage, way in zip(known, ways, strict=True):
        if isinstance(way, Way):
            yield InterfaceRef(stage.namespace, way.interface)


def _as_chosen(stage: Stage) -> Flow:
    """Return the flow that the kernel chooses by: an echo request has no source before (net/ipv4/ping.c)."""
    begins = stage.kind is Kind.SEND and not stage.depth and not stage.back
    return replace(stage.flow, source=None) if begins else stage.flow
