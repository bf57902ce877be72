"""Links: down, not in the bridge, without ARP."""

from __future__ import annotations

from collections.abc import Iterator

from labctl.diagnosis.path import Kind, Stage
from labctl.diagnosis.reasons import Reason
from labctl.learn.faults.fault import Fault, Injected, at, exactly
from labctl.learn.faults.layout import Layout
from labctl.learn.faults.shell import add_routes, run

WIRE = (Kind.SEND, Kind.CROSS, Kind.FORWARD, Kind.SWITCH)


def _up(layout: Layout, stage: Stage) -> tuple[str, ...]:
    """Return what sets the interface of a stage up, with what the kernel has taken away when it went down."""
    namespace, name = stage.ref
    six = [f"ip -6 addr add {own} dev {name} nodad" for own in layout.addresses(namespace, name) if own.version == 6]
    return (f"ip link set dev {name} up", *six, *add_routes(layout.routes_by(namespace, name)))


def _cable_down(layout: Layout) -> Iterator[Injected]:
    for way in layout.ways:
        for stage in way.of(*WIRE, back=False):
            if layout.is_cable(stage):
                yield Injected(
                    run(stage.namespace, f"ip link set dev {stage.ref.interface} down"),
                    run(stage.namespace, *_up(layout, stage)),
                    way.check.name,
                    exactly(stage.place, Reason.LINK_DOWN),
                )


def _tun_down(layout: Layout) -> Iterator[Injected]:
    for way in layout.between:
        for stage in way.of(Kind.WRITE, back=False):
            yield Injected(
                run(stage.namespace, f"ip link set dev {stage.ref.interface} down"),
                run(stage.namespace, *_up(layout, stage)),
                way.check.name,
                exactly(stage.place, Reason.LINK_DOWN),
            )


def _loopback_down(layout: Layout) -> Iterator[Injected]:
    for way in layout.local:
        namespace = way.stages[0].namespace
        yield Injected(
            run(namespace, "ip link set dev lo down"),
            run(namespace, "ip link set dev lo up"),
            way.check.name,
            at(f"{namespace}:lo", why=Reason.LINK_DOWN),
        )


def _bridge_down(layout: Layout) -> Iterator[Injected]:
    for way in layout.ways:
        for stage in way.of(Kind.SWITCH, back=False):
            if bridge := layout.bridge(stage):
                yield Injected(
                    run(stage.namespace, f"ip link set dev {bridge} down"),
                    run(stage.namespace, f"ip link set dev {bridge} up"),
                    way.check.name,
                    exactly(f"{stage.namespace}:{bridge}", Reason.LINK_DOWN),
                )


def _port_out(layout: Layout) -> Iterator[Injected]:
    for way in layout.ways:
        for stage in way.of(Kind.SWITCH, Kind.CROSS, back=False):
            if bridge := layout.bridge(stage):
                port = stage.ref.interface
                yield Injected(
                    run(stage.namespace, f"ip link set dev {port} nomaster"),
                    run(stage.namespace, f"ip link set dev {port} master {bridge}"),
                    way.check.name,
                    at(stage.place, f"{stage.namespace}:{bridge}", why=Reason.PORT_NOT_FORWARDING),
                )


def _isolated(layout: Layout) -> Iterator[Injected]:
    for way in layout.ways:
        for out in way.of(Kind.SWITCH, back=False):
            if (bridge := layout.bridge(out)) and out.before:
                ports = (out.before.interface, out.ref.interface)
                yield Injected(
                    run(out.namespace, *(f"bridge link set dev {port} isolated on" for port in ports)),
                    run(out.namespace, *(f"bridge link set dev {port} isolated off" for port in ports)),
                    way.check.name,
                    at(*(f"{out.namespace}:{name}" for name in (*ports, bridge)), why=Reason.PORT_NOT_FORWARDING),
                )


FAULTS = (
    Fault("cable-down", 1, "an end of a cable is down", _cable_down, pairs=False),
    Fault("tun-down", 1, "a TUN device is down", _tun_down, pairs=False),
    Fault(
        "loopback-down",
        2,
        "the loopback interface is down: what a host sends to itself goes through it",
        _loopback_down,
    ),
    Fault("bridge-down", 1, "the bridge of a switch is down", _bridge_down, pairs=False),
    Fault("port-out-of-bridge", 2, "a port of a switch is not in its bridge", _port_out),
    Fault("ports-isolated", 3, "two ports of a bridge are isolated from each other", _isolated, ("ip", "bridge")),
)
