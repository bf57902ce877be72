"""Firewalls and address translation: nftables at every hook, and policies of IPsec."""

from __future__ import annotations

from collections.abc import Iterator

from labctl.diagnosis.path import Kind
from labctl.diagnosis.reasons import Reason
from labctl.learn.faults.fault import Fault, Injected, at
from labctl.learn.faults.layout import Layout
from labctl.learn.faults.shell import forget_each_other, no_rule, rule, run

NEEDS = ("nft",)
NAT = (Reason.NAT, Reason.STRANGER, Reason.FIREWALL)


def _tunnel(layout: Layout) -> Iterator[Injected]:
    for way in layout.ways:
        for stage in way.of(Kind.SEND, Kind.DELIVER, depth=1):
            hook = "output" if stage.kind is Kind.SEND else "input"
            port = stage.flow.dport
            devices = [str(end.device) for end in layout.topology.ttun if end.device.namespace == stage.namespace]
            for verdict in ("drop", "counter drop"):
                yield Injected(
                    run(stage.namespace, rule(hook, f"udp dport {port} {verdict}")),
                    run(stage.namespace, no_rule()),
                    way.check.name,
                    at(stage.place, *devices, why=Reason.FIREWALL),
                )


def _echo(layout: Layout) -> Iterator[Injected]:
    for way in layout.pings:
        for stage in way.of(Kind.DELIVER, back=False, depth=0):
            word = "icmp" if stage.flow.to.version == 4 else "icmpv6"
            for verdict in ("drop", "counter drop"):
                yield Injected(
                    run(stage.namespace, rule("input", f"{word} type echo-request {verdict}")),
                    run(stage.namespace, no_rule()),
                    way.check.name,
                    at(stage.place, why=Reason.FIREWALL),
                )


def _port(layout: Layout) -> Iterator[Injected]:
    for way in layout.between:
        for stage in way.of(Kind.DELIVER, back=False, depth=0):
            if way.asked.protocol == "tcp":
                for verdict in ("reject with tcp reset", "drop"):
                    yield Injected(
                        run(stage.namespace, rule("input", f"tcp dport {way.asked.port} {verdict}")),
                        run(stage.namespace, no_rule()),
                        way.check.name,
                        at(stage.place, why=Reason.FIREWALL),
                    )


def _source(layout: Layout) -> Iterator[Injected]:
    for way in layout.ways:
        for stage in way.of(Kind.DELIVER, back=False, depth=0):
            if stage.flow.source and stage.flow.source.version == 4:
                what = f"ip saddr {stage.flow.source} drop"
                yield Injected(
                    run(stage.namespace, rule("prerouting", what, priority=-300)),
                    run(stage.namespace, no_rule()),
                    way.check.name,
                    at(stage.place, why=Reason.FIREWALL),
                )


def _router(layout: Layout) -> Iterator[Injected]:
    for way in layout.ways:
        for stage in way.of(Kind.FORWARD, back=False, depth=0):
            if stage.flow.to.version == 4:
                for verdict in ("drop", "reject with icmp admin-prohibited"):
                    yield Injected(
                        run(stage.namespace, rule("forward", f"ip daddr {stage.flow.to} {verdict}", priority=-5)),
                        run(stage.namespace, no_rule()),
                        way.check.name,
                        at(
                            *(f"{stage.namespace}:{name}" for name in (stage.arrives, stage.leaves)),
                            why=Reason.FIREWALL,
                        ),
                    )


def _replies(layout: Layout) -> Iterator[Injected]:
    for way in layout.pings:
        for stage in way.of(Kind.FORWARD, back=True, depth=0):
            if stage.flow.to.version == 4:
                yield Injected(
                    run(stage.namespace, rule("forward", "icmp type echo-reply drop", priority=-5)),
                    run(stage.namespace, no_rule()),
                    way.check.name,
                    at(*(f"{stage.namespace}:{name}" for name in (stage.arrives, stage.leaves)), why=Reason.FIREWALL),
                )


def _arp(layout: Layout) -> Iterator[Injected]:
    for way in layout.pings:
        for stage in way.of(Kind.SEND, Kind.FORWARD, back=False, depth=0):
            if stage.meets and layout.is_cable(stage) and stage.flow.to.version == 4:
                forget = forget_each_other(stage.ref, stage.meets)
                yield Injected(
                    (*run(stage.meets.namespace, rule("input", "drop", table="arp")), *forget),
                    (*run(stage.meets.namespace, no_rule("arp")), *forget),
                    way.check.name,
                    at(str(stage.meets), why=Reason.FIREWALL),
                )


def _other_source(layout: Layout) -> Iterator[Injected]:
    """Without a connection that is tracked: whether masquerading shows would depend on which end has spoken first."""
    for way in layout.ways:
        for read in way.of(Kind.READ, back=False):
            port = layout.endpoint(read).peer.port
            far = next(way.of(Kind.WRITE, back=False))
            for stage in way.of(Kind.SEND, back=False, depth=1):
                for own in layout.addresses(*stage.ref):
                    if stage.namespace == read.namespace and own.version == 4 and own.ip != stage.flow.source:
                        what = f"oif {stage.leaves} udp dport {port} ip saddr set {own.ip}"
                        yield Injected(
                            run(stage.namespace, rule("postrouting", what, priority=300)),
                            run(stage.namespace, no_rule()),
                            way.check.name,
                            at(stage.place, far.place, why=NAT),
                        )


def _other_port(layout: Layout) -> Iterator[Injected]:
    for way in layout.ways:
        for stage in way.of(Kind.DELIVER, back=False, depth=1):
            port = stage.flow.dport
            far = next(way.of(Kind.WRITE, back=False))
            for other in (port + 1, port + 10):
                yield Injected(
                    run(stage.namespace, rule("prerouting", f"udp dport {port} udp dport set {other}", priority=-150)),
                    run(stage.namespace, no_rule()),
                    way.check.name,
                    at(stage.place, far.place, why=NAT),
                )


def _checksum(layout: Layout) -> Iterator[Injected]:
    for way in layout.between:
        first = way.stages[0]
        if way.asked.protocol == "udp" and way.is_tunnelled:
            far = next(way.of(Kind.WRITE, back=False))
            what = f"oif {first.leaves} udp dport {way.asked.port} udp checksum set 1"
            yield Injected(
                run(first.namespace, rule("postrouting", what, priority=300)),
                run(first.namespace, no_rule()),
                way.check.name,
                at(first.place, far.place, why=(Reason.CORRUPTED, Reason.FIREWALL)),
            )


def _policy(layout: Layout) -> Iterator[Injected]:
    for way in layout.ways:
        first = way.stages[0]
        if not layout.is_cable(first) or first.flow.to.version == 6:
            continue
        words = f"src 0.0.0.0/0 dst {first.flow.to}/32 dir out"
        yield Injected(
            run(first.namespace, f"ip xfrm policy add {words} action block"),
            run(first.namespace, f"ip xfrm policy delete {words}"),
            way.check.name,
            at(first.place, why=Reason.XFRM),
        )


FAULTS = (
    Fault("tunnel-dropped", 2, "a firewall drops the datagrams of the tunnel", _tunnel, NEEDS),
    Fault("echo-dropped", 2, "a firewall drops echo requests", _echo, NEEDS),
    Fault("port-filtered", 2, "a firewall lets nothing through to a port", _port, NEEDS),
    Fault("source-dropped", 3, "a firewall drops what one address sends, before it is routed", _source, NEEDS),
    Fault("router-filters", 2, "a firewall of a router lets nothing through to an address", _router, NEEDS),
    Fault("replies-dropped", 3, "a firewall of a router drops the replies alone", _replies, NEEDS),
    Fault("arp-dropped", 3, "a firewall drops ARP", _arp, ("ip", "nft")),
    Fault(
        "tunnel-source",
        3,
        "a firewall has the datagrams of the tunnel leave with another source address",
        _other_source,
        NEEDS,
    ),
    Fault("tunnel-port", 3, "a firewall sends the datagrams of the tunnel on to another port", _other_port, NEEDS),
    Fault(
        "checksum-broken", 3, "a firewall writes a wrong checksum, and the receiver drops the packet", _checksum, NEEDS
    ),
    Fault("ipsec-policy", 3, "a policy of IPsec blocks what is sent to an address", _policy),
)
