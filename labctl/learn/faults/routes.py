"""Routes and rules: missing there or back, rejecting, more specific, with a wrong next hop or source."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from labctl.diagnosis.path import Kind, Stage
from labctl.diagnosis.reasons import Reason
from labctl.learn.faults.fault import Accepted, Fault, Injected, at
from labctl.learn.faults.layout import Layout, Way
from labctl.learn.faults.shell import add_routes, ip, run

REJECTING = ("blackhole", "unreachable", "prohibit")
NEXT_HOP = (Reason.WRONG_NEXT_HOP, Reason.NEIGHBOUR_FAILED, Reason.ROUTE_ELSEWHERE)


def _around(stage: Stage) -> Accepted:
    """Return the places of a routing decision, with that nothing leads on."""
    hops = [f"{stage.namespace}:{name}" for name in (stage.arrives, stage.leaves) if name]
    return at(*hops, why=Reason.NO_ROUTE)


def _missing(layout: Layout, back: bool) -> Iterator[Injected]:
    for way in layout.ways:
        for stage in way.of(Kind.SEND, Kind.FORWARD, back=back):
            if route := layout.route(stage):
                command = f"{ip(route.version)} route"
                yield Injected(
                    run(stage.namespace, f"{command} del {route.words}"),
                    run(stage.namespace, *add_routes([route])),
                    way.check.name,
                    _expected_of_missing(way, stage),
                )


def _expected_of_missing(way: Way, stage: Stage) -> Accepted:
    """Where an engine has no route for its datagrams, the TUN device that it reads is the place, too."""
    device = next((f"{s.namespace}:{s.leaves}" for s in way.of(Kind.READ) if s.namespace == stage.namespace), "")
    return _around(stage) | (at(device, why=Reason.NO_ROUTE) if stage.depth and device else frozenset())


def _there(layout: Layout) -> Iterator[Injected]:
    return _missing(layout, back=False)


def _back(layout: Layout) -> Iterator[Injected]:
    return _missing(layout, back=True)


def _decisions(layout: Layout) -> Iterator[tuple[Way, Stage]]:
    """Yield the ways of pings with each decision on the way there: by the sender, and by each router."""
    for way in layout.ways:
        for stage in way.of(Kind.SEND, Kind.FORWARD, back=False, depth=0):
            yield way, stage


def _hops(stage: Stage) -> list[str]:
    return [f"{stage.namespace}:{name}" for name in (stage.arrives, stage.leaves) if name]


def _rejects(layout: Layout) -> Iterator[Injected]:
    for way, stage in _decisions(layout):
        for kind in REJECTING:
            host = f"{stage.flow.to}/{stage.flow.to.max_prefixlen}"
            command = f"{ip(stage.flow.to.version)} route"
            yield Injected(
                run(stage.namespace, f"{command} add {kind} {host}"),
                run(stage.namespace, f"{command} del {kind} {host}"),
                way.check.name,
                at(*_hops(stage), why=Reason.ROUTE_REJECTS),
            )


def _rule_rejects(layout: Layout) -> Iterator[Injected]:
    for way, stage in _decisions(layout):
        for kind in REJECTING:
            words = f"to {stage.flow.to} {kind}"
            command = f"{ip(stage.flow.to.version)} rule"
            yield Injected(
                run(stage.namespace, f"{command} add {words}"),
                run(stage.namespace, f"{command} del {words}"),
                way.check.name,
                at(*_hops(stage), why=Reason.ROUTE_REJECTS),
            )


def _into_own_tunnel(layout: Layout) -> Iterator[Injected]:
    for way in layout.ways:
        for stage in way.of(Kind.READ):
            peer, device = layout.endpoint(stage).peer.host, stage.ref.interface
            words = f"{peer}/{peer.max_prefixlen} dev {device}"
            yield Injected(
                run(stage.namespace, f"{ip(peer.version)} route add {words}"),
                run(stage.namespace, f"{ip(peer.version)} route del {words}"),
                way.check.name,
                at(stage.place, why=(Reason.ROUTING_LOOP, Reason.ROUTE_ELSEWHERE)),
            )


def _sent_back(layout: Layout) -> Iterator[Injected]:
    for way in layout.ways:
        for before, stage in pairwise(way.of(Kind.SEND, Kind.FORWARD, back=False)):
            source = layout.addresses(before.namespace, before.leaves) if before.leaves else ()
            near = next((str(own.ip) for own in source if own.version == stage.flow.to.version), "")
            if stage.kind is Kind.SEND or not near or before.depth or stage.depth or not layout.is_cable(before):
                continue
            words = f"{stage.flow.to}/{stage.flow.to.max_prefixlen} via {near} dev {stage.arrives}"
            command = f"{ip(stage.flow.to.version)} route"
            yield Injected(
                run(stage.namespace, f"{command} add {words}"),
                run(stage.namespace, f"{command} del {words}"),
                way.check.name,
                at(*_hops(stage), why=(Reason.ROUTE_ELSEWHERE, Reason.WRONG_NEXT_HOP, Reason.TTL, Reason.ROUTING_LOOP)),
            )


def _next_hop(layout: Layout) -> Iterator[Injected]:
    for way, stage in _decisions(layout):
        route = layout.route(stage)
        if route is None or route.via is None or route.version == 6:
            continue
        for number in (77, 91, 203):
            wrong = f"{route.via.rpartition('.')[0]}.{number}"
            yield Injected(
                run(stage.namespace, f"ip route replace {route.to} via {wrong} dev {stage.leaves} onlink"),
                run(stage.namespace, f"ip route replace {route.to} via {route.via} dev {stage.leaves}"),
                way.check.name,
                at(*_hops(stage), why=NEXT_HOP),
            )


def _source(layout: Layout) -> Iterator[Injected]:
    for way, first, route, bind in layout.into_tunnels():
        yield Injected(
            run(first.namespace, f"ip route replace {route.words} src {bind}"),
            run(first.namespace, f"ip route replace {route.words}"),
            way.check.name,
            at(first.place, why=Reason.WRONG_SOURCE),
        )


FAULTS = (
    Fault("route-missing", 1, "a route is missing on the way there", _there),
    Fault("route-back-missing", 2, "a route is missing on the way back", _back),
    Fault("route-rejects", 2, "a more specific route rejects what is sent to one address", _rejects),
    Fault("rule-rejects", 3, "a rule of the routing policy rejects it before any route is looked at", _rule_rejects),
    Fault("tunnel-in-itself", 3, "the way to the other end of the tunnel leads into the tunnel", _into_own_tunnel),
    Fault("sent-back", 3, "a router sends packets back to where they came from", _sent_back),
    Fault("next-hop-of-none", 2, "a route names a next hop that is not there", _next_hop),
    Fault("wrong-source", 3, "a route has packets sent from an address that is not answered this way", _source),
)
