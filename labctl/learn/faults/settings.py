"""Settings of the kernel: forwarding, echo, TTL, reverse path filter; and sizes."""

from __future__ import annotations

from collections.abc import Iterator

from labctl.diagnosis.path import Kind
from labctl.diagnosis.reasons import Reason
from labctl.learn.faults.fault import Fault, Injected, at
from labctl.learn.faults.layout import Layout
from labctl.learn.faults.shell import run, setting


def _forwarding(layout: Layout) -> Iterator[Injected]:
    for way in layout.ways:
        for stage in way.of(Kind.FORWARD, back=False):
            four = stage.flow.to.version == 4
            path = "net/ipv4/ip_forward" if four else "net/ipv6/conf/all/forwarding"
            yield Injected(
                run(stage.namespace, setting(path, 0)),
                run(stage.namespace, setting(path, 1)),
                way.check.name,
                at(f"{stage.namespace}:{stage.arrives}", why=Reason.FORWARDING_OFF),
            )


def _forwarding_of_one(layout: Layout) -> Iterator[Injected]:
    for way in layout.ways:
        for stage in way.of(Kind.FORWARD):
            if stage.flow.to.version == 4:
                path = f"net/ipv4/conf/{stage.arrives}/forwarding"
                yield Injected(
                    run(stage.namespace, setting(path, 0)),
                    run(stage.namespace, setting(path, 1)),
                    way.check.name,
                    at(f"{stage.namespace}:{stage.arrives}", why=Reason.FORWARDING_OFF),
                )


def _echo(layout: Layout) -> Iterator[Injected]:
    for way in layout.pings:
        for stage in way.of(Kind.DELIVER, back=False, depth=0):
            four = stage.flow.to.version == 4
            path = "net/ipv4/icmp_echo_ignore_all" if four else "net/ipv6/icmp/echo_ignore_all"
            yield Injected(
                run(stage.namespace, setting(path, 1)),
                run(stage.namespace, setting(path, 0)),
                way.check.name,
                at(stage.place, why=Reason.ECHO_IGNORED),
            )


def _ttl(layout: Layout) -> Iterator[Injected]:
    for way in layout.ways:
        routers = [*way.of(Kind.FORWARD, back=False, depth=0)]
        for ttl in range(1, len(routers) + 1):
            if way.asked.to.version == 4:
                path = "net/ipv4/ip_default_ttl"
                last = routers[ttl - 1]
                yield Injected(
                    run(way.asked.sender, setting(path, ttl)),
                    run(way.asked.sender, setting(path, 64)),
                    way.check.name,
                    at(way.stages[0].place, f"{last.namespace}:{last.arrives}", why=Reason.TTL),
                )


def _reverse_path(layout: Layout) -> Iterator[Injected]:
    """The sender's packets come with the address of its other network, to which the way back leads past the tunnel."""
    for way, first, route, bind in layout.into_tunnels():
        for end in way.of(Kind.WRITE, back=False):
            path = f"net/ipv4/conf/{end.ref.interface}/rp_filter"
            yield Injected(
                (
                    *run(end.namespace, setting(path, 1)),
                    *run(first.namespace, f"ip route replace {route.words} src {bind}"),
                ),
                (*run(end.namespace, setting(path, 0)), *run(first.namespace, f"ip route replace {route.words}")),
                way.check.name,
                at(end.place, why=Reason.RP_FILTER) | at(first.place, why=Reason.WRONG_SOURCE),
            )


def _narrow(layout: Layout) -> Iterator[Injected]:
    for way in layout.ways:
        for stage in way.of(Kind.SEND, back=False, depth=1):
            device = next(way.of(Kind.READ, back=False)).place
            for mtu in (80, 96, 104):
                yield Injected(
                    run(stage.namespace, f"ip link set dev {stage.leaves} mtu {mtu}"),
                    run(
                        stage.namespace,
                        f"ip link set dev {stage.leaves} mtu 1500",  # with 1280 bytes and more IPv6 comes back
                        f"ip link set dev {stage.leaves} addrgenmode none && ip -6 addr flush dev {stage.leaves}",
                    ),
                    way.check.name,
                    at(stage.place, device, why=(Reason.MTU, Reason.MTU_BLACK_HOLE)),
                )


FAULTS = (
    Fault("mtu-too-small", 2, "a link of the underlay takes only very small packets", _narrow),
    Fault("forwarding-off", 1, "a router does not forward", _forwarding),
    Fault(
        "forwarding-off-at-one-side", 2, "a router does not forward what comes in at one interface", _forwarding_of_one
    ),
    Fault("echo-ignored", 2, "a host is told to ignore echo requests", _echo),
    Fault("ttl-too-small", 3, "the TTL that packets begin with is too small for the way", _ttl),
    Fault("reverse-path", 3, "the reverse path filter drops what is not answered the way that it came", _reverse_path),
)
