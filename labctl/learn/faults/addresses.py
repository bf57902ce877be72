"""Addresses: missing, elsewhere, twice, with a prefix that is too long; IPv6 switched off."""

from __future__ import annotations

from collections.abc import Iterator

from labctl.diagnosis.path import Kind, Stage
from labctl.diagnosis.reasons import Reason
from labctl.learn.faults.fault import Fault, Injected, at
from labctl.learn.faults.layout import Layout, Way
from labctl.learn.faults.shell import add_routes, ip, run
from labctl.topology.values import Prefix

DUPLICATE = (Reason.ADDRESS_ELSEWHERE, Reason.ADDRESS_DUPLICATE, Reason.ANSWERED_BY_ANOTHER)
MOVED = (Reason.ADDRESS_ELSEWHERE, Reason.ADDRESS_MISSING)


def _add(layout: Layout, namespace: str, interface: str, own: Prefix) -> tuple[str, ...]:
    """Return what assigns an address to an interface, with the routes that went with it."""
    nodad = " nodad" if own.version == 6 else ""
    routes = [route for route in layout.routes_by(namespace, interface) if route.version == own.version]
    return (f"{ip(own.version)} addr add {own} dev {interface}{nodad}", *add_routes(routes))


def _destinations(layout: Layout) -> Iterator[tuple[Way, Stage, str, Prefix]]:
    """Yield the ways of pings with the stage of their end, the interface that has the destination, and that."""
    for way in layout.ways:
        for stage in way.of(Kind.DELIVER, back=False, depth=0):
            if found := layout.owned(stage.namespace, stage.flow.to):
                yield way, stage, *found


def _missing(layout: Layout) -> Iterator[Injected]:
    for way, end, interface, own in _destinations(layout):
        namespace = end.namespace
        yield Injected(
            run(namespace, f"ip addr del {own} dev {interface}"),
            run(namespace, *_add(layout, namespace, interface, own)),
            way.check.name,
            at(f"{namespace}:{interface}", why=Reason.ADDRESS_MISSING),
        )


def _elsewhere(layout: Layout) -> Iterator[Injected]:
    for way, end, interface, own in _destinations(layout):
        namespace = end.namespace
        if end.arrives == interface and layout.is_cable(end) and own.version == 4:
            yield Injected(
                run(namespace, f"ip addr del {own} dev {interface}", f"ip addr add {own} dev lo"),
                run(namespace, f"ip addr del {own} dev lo", *_add(layout, namespace, interface, own)),
                way.check.name,
                at(f"{namespace}:{interface}", f"{namespace}:lo", why=MOVED),
            )


def _twice(layout: Layout) -> Iterator[Injected]:
    for way in layout.ways:
        sender, to = way.asked.sender, way.asked.to
        host = f"{to}/{to.max_prefixlen}"
        yield Injected(
            run(sender, f"{ip(to.version)} addr add {host} dev lo"),
            run(sender, f"{ip(to.version)} addr del {host} dev lo"),
            way.check.name,
            at(f"{sender}:lo", way.stages[0].place, why=DUPLICATE),
        )


def _prefix(layout: Layout) -> Iterator[Injected]:
    for way in layout.ways:
        first = way.stages[0]
        if not layout.is_cable(first) or first.via or first.flow.to.version == 6:
            continue  # the destination is on the link itself
        for own in layout.addresses(*first.ref):
            if first.flow.to in own.network:
                short = f"{own.ip}/32"
                yield Injected(
                    run(
                        first.namespace,
                        f"ip addr del {own} dev {first.ref.interface}",
                        f"ip addr add {short} dev {first.ref.interface}",
                    ),
                    run(
                        first.namespace,
                        f"ip addr del {short} dev {first.ref.interface}",
                        *_add(layout, first.namespace, first.ref.interface, own),
                    ),
                    way.check.name,
                    at(first.place, why=(Reason.WRONG_PREFIX, Reason.ADDRESS_MISSING)),
                )


def _no_ipv6(layout: Layout) -> Iterator[Injected]:
    for way in layout.ways:
        for stage in way.of(Kind.CROSS, back=False, depth=0):
            if stage.flow.to.version == 6:
                namespace, name = stage.ref
                own = [each for each in layout.addresses(namespace, name) if each.version == 6]
                back = [line for each in own for line in _add(layout, namespace, name, each)]
                path = f"net/ipv6/conf/{name}/disable_ipv6"
                yield Injected(
                    run(namespace, f"echo 1 > /proc/sys/{path}"),
                    run(namespace, f"echo 0 > /proc/sys/{path}", *dict.fromkeys(back)),
                    way.check.name,
                    at(stage.place, why=Reason.IPV6_OFF),
                )


FAULTS = (
    Fault("address-missing", 1, "the address that is asked for is gone", _missing),
    Fault(
        "address-on-loopback", 2, "an address is on the loopback interface, in place of that of the cable", _elsewhere
    ),
    Fault("address-twice", 3, "the sender has the address itself, too, and so asks itself", _twice),
    Fault("prefix-too-long", 2, "the prefix is so long that the neighbour is in another network", _prefix),
    Fault("ipv6-off", 2, "IPv6 is switched off on an interface", _no_ipv6),
)
