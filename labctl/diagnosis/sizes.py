"""Sizes: a packet is larger than an interface ahead takes, and must not be cut, or its sender is not told.

A router that may not cut a packet answers with ICMP, which tells the size that fits (RFC 1191, RFC 8201). Between the
two ends of a cable nothing answers: veth drops what is larger than the MTU of the other end, and counts it there
(net/core/dev.c: __dev_forward_skb()).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from labctl.diagnosis import fixes
from labctl.diagnosis.facts import Case
from labctl.diagnosis.path import Kind, Stage
from labctl.diagnosis.reasons import Reason
from labctl.diagnosis.verdict import Verdict, Witness
from labctl.kernel.lookup import Way
from labctl.topology.interface_ref import InterfaceRef
from labctl.trace.sightings import Journey, Sighting

_VLAN = 4  # bytes; a cable takes frames that are larger than its MTU by a VLAN tag (is_skb_forwardable())


def next_mtu(case: Case, number: int) -> Iterator[Verdict]:
    """Yield that a packet was lost at an interface whose MTU is less than its size."""
    stage = case.stages[number]
    ref = _narrow(case, stage)
    link = case.link(ref) if ref else None
    if ref is None or link is None:
        return
    way = case.ways.get(stage)
    mtu = min(link.mtu, (way.mtu if isinstance(way, Way) else None) or link.mtu)
    too_large = [
        size
        for journey in (case.answers if stage.back else case.probes)
        if (size := _size_at(journey, case, number)) > mtu + (_VLAN if stage.kind is Kind.CROSS else 0)
    ]
    if not too_large:
        return
    size = max(too_large)
    of_route = (
        "" if mtu == link.mtu or not isinstance(way, Way) else f" by the route `{way.route.words if way.route else ''}`"
    )
    told = list(_told(case))
    dropped = case.space(ref.namespace).dropped.get(ref.interface, 0)
    evidence = (
        Witness(str(ref), "MTU", f"{mtu} bytes"),
        Witness(case.stages[number - 1].place if number else stage.namespace, "packets of", f"{size} bytes"),
        *(Witness(str(each.station.ref), "ICMP says", _said(each)) for each in told[-1:]),
        *([Witness(str(ref), "rx_dropped", f"+{dropped}")] if dropped else []),
    )
    reason = Reason.MTU
    words = f"packets of {size} bytes do not fit through {ref}, whose MTU is {mtu}{of_route}"
    if not told:
        words += ", and nothing tells the sender"
        reason = Reason.MTU_BLACK_HOLE if stage.kind is not Kind.FORWARD else Reason.MTU
    yield Verdict(str(ref), reason, words, evidence, _fix(case, ref))


def where_smaller_pass(case: Case) -> Iterator[Verdict]:
    """Yield that packets were lost in a cable that are too large for its other end, though smaller ones came through.

    A TCP connection opens then, and carries nothing. Superframes may be larger than an MTU: those are seen to arrive.
    """
    for number, stage in enumerate(case.stages):
        if stage.kind is Kind.CROSS:
            packets = case.answers if stage.back else case.probes
            lost = [each for each in packets if all(one.station.ref != stage.ref for one in each.sightings)]
            found = list(next_mtu(replace(case, answers=lost) if stage.back else replace(case, probes=lost), number))
            yield from found
            if found:
                return


def cut(case: Case) -> Iterator[Verdict]:
    """Yield that packets were cut into fragments at an interface that more packets left by than is expected."""
    counted = {each.place for each in case.miscounted}
    for number, stage in enumerate(case.stages):
        link = case.link(stage.ref)
        if stage.kind not in (Kind.SEND, Kind.FORWARD) or link is None or str(stage.ref) not in counted:
            continue
        fragments = [each.layers[0] for each in case.seen_at(number) if each.layers[0].more_fragments]
        if fragments:
            words = f"packets are cut into fragments at {stage.ref}, whose MTU is {link.mtu}: each is counted"
            evidence = (
                Witness(str(stage.ref), "MTU", f"{link.mtu} bytes"),
                Witness(str(stage.ref), "fragments seen", f"of at most {max(each.length for each in fragments)} bytes"),
                *case.miscounted,
            )
            yield Verdict(str(stage.ref), Reason.MTU, words, evidence, _fix(case, stage.ref))
            return


def _narrow(case: Case, stage: Stage) -> InterfaceRef | None:
    if stage.kind is Kind.CROSS and stage.ref in case.cables:  # a TAP device takes in what is larger than its MTU
        return None
    return stage.ref if stage.kind in (Kind.SEND, Kind.FORWARD, Kind.CROSS, Kind.SWITCH) else None


def _size_at(journey: Journey, case: Case, number: int) -> int:
    """Return the size of the layer of a packet that comes to a stage, as it was seen last; 0 where it was not."""
    stage = case.stages[number]
    sizes = [each.layers[0].length for each in journey.sightings if len(each.layers) == stage.depth + 1]
    return sizes[-1] if sizes else 0


def _told(case: Case) -> Iterator[Sighting]:
    """Yield the ICMP messages "too big" and "fragmentation needed" that were seen."""
    for journey in case.journeys:
        for each in journey.sightings:
            packet = each.packet
            if packet and getattr(packet.transport, "mtu", None) is not None:
                yield each


def _said(sighting: Sighting) -> str:
    transport = sighting.packet.transport if sighting.packet else None
    return f"{getattr(transport, 'name', '')}, MTU {getattr(transport, 'mtu', '')}"


def _fix(case: Case, ref: InterfaceRef) -> str:
    space = case.topology.namespaces.get(ref.namespace)
    interface = space.interfaces.get(ref.interface) if space else None
    if interface is not None and interface.mtu is not None and not fixes.drifted(case, ref.namespace):
        path = ("namespaces", ref.namespace, "interfaces", ref.interface, "mtu")
        return fixes.write(case, *path, text="give both ends of every link on the way the same MTU")
    return fixes.up(case)
