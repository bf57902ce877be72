"""What the model of a running lab says of the places that a packet passed (trace.ladder.Facts): without asking."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_address, ip_interface

from labctl.live.state import LabState
from labctl.topology.interface_ref import InterfaceRef
from labctl.trace.dissect import Packet
from labctl.web.lines import Lines
from labctl.web.picture import engine_fault


@dataclass(frozen=True)
class KnownFacts:
    """The answers of a model and of a picture; by which route a packet went they do not know."""

    state: LabState
    lines: Lines
    forwarding: frozenset[str]  # namespaces

    def route(self, namespace: str, packet: Packet, arrived: str) -> str:
        return ""

    def refusal(self, namespace: str, packet: Packet, arrived: str) -> str:
        if self._is_for(namespace, packet.destination):
            return ""
        why = "and it was not seen to go on" if namespace in self.forwarding else "which does not forward"
        return f"{packet.destination} is no address of {namespace}, {why}"

    def _is_for(self, namespace: str, destination: str) -> bool:
        """Return whether a namespace may take a packet for its own; what is no unicast address is anybody's."""
        found, space = ip_address(destination), self.state.spaces.get(namespace)
        interfaces = space.interfaces if space else ()
        networks = [ip_interface(one.address) for interface in interfaces for one in interface.addresses]
        return (
            found.is_multicast
            or found.is_loopback
            or not networks
            or any(found in (one.ip, one.network.broadcast_address) for one in networks)
        )

    def receiver(self, leaving: InterfaceRef) -> InterfaceRef | None:
        way = self.lines.cables.get(leaving)
        return way.to if way else None

    def bridge(self, port: InterfaceRef) -> str:
        space = self.state.spaces.get(port.namespace)
        found = self.state.interface(port)
        return f"bridge {space.name_of(found.link.master)}" if space and found and found.link.master else ""

    def engine(self, device: InterfaceRef) -> str | None:
        engine = self.state.engines.get(device)
        if engine is None:
            return None
        fault = engine_fault(engine)
        return f"it {fault}" if fault else ""

    def reader(self, namespace: str, port: int) -> InterfaceRef | None:
        specs = (engine.spec for engine in self.state.engines.values() if engine.spec.device.namespace == namespace)
        return next((spec.device for spec in specs if spec.bind.port == port), None)
