"""What the kernel says of the packet of each stage of a way: where it takes it, and where an answer would go."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from ipaddress import ip_address

from labctl.diagnosis.gather import Gather, LookUp
from labctl.diagnosis.path import Kind, Stage
from labctl.kernel.flow import Flow
from labctl.kernel.lookup import NoWay, Way
from labctl.topology.routing import LOOPBACK
from labctl.topology.values import Host

Ways = dict[Stage, Way | NoWay]

_NO_MARKS: Mapping[Stage, int] = {}


def look_ups(gather: Gather, stages: Iterable[Stage], marks: Mapping[Stage, int] = _NO_MARKS) -> tuple[Ways, Ways]:
    """Return what the kernel says of the packet of each stage, and of the way back to its source where it arrives.

    Where the sender's kernel lets packets leave as the file says, but from another address, that is their source.
    `marks` are those that the packets of some stages have. Stages whose namespace or interface is gone are left out.
    """
    routed = [each for each in stages if each.kind in (Kind.SEND, Kind.FORWARD, Kind.DELIVER)]
    begins = [each for each in routed if each.kind is Kind.SEND and not each.depth and not each.back]
    ways = _answers(gather, {each: _asked(each, replace(each.flow, source=None), marks) for each in begins})
    meant, chosen = next(((each.flow.source, _chosen(each, ways)) for each in begins), (None, None))
    flows = {each: _as_sent(each, meant, chosen) for each in routed if each not in begins}
    ways |= _answers(gather, {each: _asked(each, flow, marks) for each, flow in flows.items()})
    arriving = {each: flow for each, flow in flows.items() if _arrives(each) and flow.source is not None}
    return ways, _answers(gather, {each: _back(each, flow) for each, flow in arriving.items()})


def _answers(gather: Gather, asked: Mapping[Stage, LookUp]) -> Ways:
    found = zip(asked, gather.look_ups([*asked.values()]), strict=True) if asked else ()
    return {stage: _by_its_hop(stage, answer) for stage, answer in found if answer is not None}


def _by_its_hop(stage: Stage, way: Way | NoWay) -> Way | NoWay:
    """Return a way by the one of several next hops that packets take: a look-up knows less of them than the kernel."""
    hops = way.route.nexthops if stage.is_open and isinstance(way, Way) and way.route else ()
    own = next((hop for hop in hops if hop.dev == stage.leaves), None)
    return replace(way, interface=stage.leaves, via=own.via) if own and isinstance(way, Way) else way


def _asked(stage: Stage, flow: Flow, marks: Mapping[Stage, int]) -> LookUp:
    arrives = stage.arrives if _arrives(stage) else ""
    return LookUp(stage.namespace, replace(flow, mark=marks.get(stage, 0)), arrives)


def _back(stage: Stage, flow: Flow) -> LookUp:
    """Return the way to the source of a packet, whatever would be sent there."""
    return LookUp(stage.namespace, replace(flow.answer, sport=0, dport=0, source=None))


def _arrives(stage: Stage) -> bool:
    return stage.arrives not in ("", LOOPBACK)


def _chosen(stage: Stage, ways: Ways) -> Host | None:
    """Return the source that the sender's kernel has chosen, where packets leave as the file says."""
    way = ways.get(stage)
    leaves = isinstance(way, Way) and way.interface == stage.leaves
    return ip_address(way.source) if isinstance(way, Way) and leaves and way.source else None


def _as_sent(stage: Stage, meant: Host | None, chosen: Host | None) -> Flow:
    """Return the flow of a stage with the source that was really chosen for the one that is `meant`."""
    if stage.depth or chosen is None or meant not in (stage.flow.to, stage.flow.source):
        return stage.flow  # or it is hidden behind another one by then
    return replace(stage.flow, to=chosen) if stage.back else replace(stage.flow, source=chosen)
