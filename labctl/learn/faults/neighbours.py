"""Neighbours: a wrong link-layer address, an interface without ARP.

A host that only sends no requests, or answers none, is no fault for a challenge: it learns, and is learned of, as soon
as the other end asks.
"""

from __future__ import annotations

from collections.abc import Iterator

from labctl.diagnosis.path import Kind, Stage
from labctl.diagnosis.reasons import Reason
from labctl.learn.faults.fault import Fault, Injected, at
from labctl.learn.faults.layout import Layout, Way
from labctl.learn.faults.shell import forget_each_other, run

ADDRESSES = ("02:00:00:4e:1a:07", "02:00:00:93:c2:5d", "02:00:00:0b:77:e4")
"""Link-layer addresses that no interface has, locally administered (IEEE 802)."""


def _meetings(layout: Layout) -> Iterator[tuple[Way, Stage]]:
    """Yield the ways of pings, with each stage at which a namespace asks by ARP for a next hop of the lab."""
    for way in layout.pings:
        for stage in way.of(Kind.SEND, Kind.FORWARD, back=False, depth=0):
            if stage.meets and layout.is_cable(stage) and stage.flow.to.version == 4:
                yield way, stage


def _wrong(layout: Layout) -> Iterator[Injected]:
    for way, stage in _meetings(layout):
        hop, name = stage.via or stage.flow.to, stage.leaves
        for mac in ADDRESSES:
            yield Injected(
                run(stage.namespace, f"ip neigh replace {hop} lladdr {mac} dev {name} nud permanent"),
                run(stage.namespace, f"ip neigh del {hop} dev {name}"),
                way.check.name,
                at(stage.place, why=Reason.NEIGHBOUR_WRONG),
            )


def _arp_off(layout: Layout) -> Iterator[Injected]:
    for way, stage in _meetings(layout):
        assert stage.meets is not None
        asked, name = stage.meets
        forget = forget_each_other(stage.ref, stage.meets)
        yield Injected(
            (*run(asked, f"ip link set dev {name} arp off"), *forget),
            (*run(asked, f"ip link set dev {name} arp on"), *forget),
            way.check.name,
            at(str(stage.meets), why=Reason.NO_ARP),
        )


FAULTS = (
    Fault("neighbour-wrong", 2, "a neighbour is entered with a link-layer address that is not its own", _wrong),
    Fault("arp-off", 2, "an interface does not speak ARP", _arp_off),
)
