"""What the kernel and the engines of a lab say of the places that a traced packet passed."""

from __future__ import annotations

import errno
from contextlib import suppress
from functools import cache
from ipaddress import ip_address

from labctl.errors import UsageError
from labctl.kernel import namespaces
from labctl.kernel.flow import Flow
from labctl.kernel.lookup import NoWay, Way, route_in, route_out
from labctl.kernel.observe import observe
from labctl.lab.cables.drops import CableDrops
from labctl.lab.engines.stats import Drops
from labctl.lab.state import State
from labctl.plan.facts import Namespace
from labctl.topology.interface_ref import InterfaceRef
from labctl.topology.iproute import IP_PROTOCOLS
from labctl.trace.dissect import Packet

_PROTOCOLS = {number: name for name, number in IP_PROTOCOLS.items()}

_REFUSALS = {  # of what arrives (kernel.lookup.NoWay)
    errno.EHOSTUNREACH: "{} is no address of {}, which does not forward it (EHOSTUNREACH)",
    errno.ENETUNREACH: "no route to {} (ENETUNREACH)",
    errno.EINVAL: "by reverse path filter, a martian address or a blackhole (EINVAL)",
}


class LabFacts:
    """Asks the kernel when it is asked, each question once (trace.ladder.Facts)."""

    def __init__(self, state: State, drops: Drops) -> None:
        recorded = state.read()
        self._engines, self._namespaces = recorded.engines, tuple(recorded.namespaces)
        self._drops = drops
        self._cable_drops = CableDrops(state)
        self._observed = cache(self._observe)
        self._ways = cache(_look_up)

    def route(self, namespace: str, packet: Packet, arrived: str) -> str:
        found = self._ways(namespace, _flow(packet), arrived)
        return found.route.words if found and found.route and not isinstance(found, NoWay) else ""

    def refusal(self, namespace: str, packet: Packet, arrived: str) -> str:
        found = self._ways(namespace, _flow(packet), arrived)
        if not isinstance(found, NoWay) or ip_address(packet.destination).is_multicast:
            return ""
        space = self._observed(namespace)
        if space is None or space.tables:  # what the kernel was asked about may have been rewritten before
            return ""
        if found.refused_by_route and found.route:
            return f"by {found.route.words}"
        words = _REFUSALS.get(found.errno, "")
        return words.format(packet.destination, namespace)

    def receiver(self, leaving: InterfaceRef) -> InterfaceRef | None:
        space = self._observed(leaving.namespace)
        link = space.links.get(leaving.interface) if space else None
        return link.peer if link else None

    def bridge(self, port: InterfaceRef) -> str:
        space = self._observed(port.namespace)
        link = space.links.get(port.interface) if space else None
        return f"bridge {link.master}" if link and link.master else ""

    def engine(self, device: InterfaceRef) -> str | None:
        if device not in self._engines:
            return None
        process = self._engines[device].process
        if not process.alive():
            return "it has ended"
        if process.stopped():
            return "it is stopped"
        dropped = self._drops.since(device)
        return f"it counted meanwhile: {dropped}" if dropped else ""

    def cable(self, arriving: InterfaceRef) -> str:
        return ""

    def cable_loss(self, leaving: InterfaceRef) -> str:
        return self._cable_drops.since(leaving)

    def within(self, one: str, other: str) -> int:
        return 0

    def reader(self, namespace: str, port: int) -> InterfaceRef | None:
        specs = (engine.spec for device, engine in self._engines.items() if device.namespace == namespace)
        return next((spec.device for spec in specs if spec.bind.port == port), None)

    def _observe(self, namespace: str) -> Namespace | None:
        return observe(namespace, others=self._namespaces)


class NoReasons(LabFacts):
    """Does not say why a packet went no further."""

    def refusal(self, namespace: str, packet: Packet, arrived: str) -> str:
        return ""

    def engine(self, device: InterfaceRef) -> str | None:
        return "" if device in self._engines else None


def _look_up(namespace: str, flow: Flow, arrived: str) -> Way | NoWay | None:
    with suppress(UsageError, OSError), namespaces.inside(namespace):
        return route_in(flow, arrived) if arrived else route_out(flow)
    return None


def _flow(packet: Packet) -> Flow:
    sport, dport = packet.ports or (0, 0)
    return Flow(
        ip_address(packet.destination),
        ip_address(packet.source),
        _PROTOCOLS.get(packet.protocol, ""),
        sport,
        dport,
    )
