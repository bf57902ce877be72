"""What the model of a running lab says of the places that a packet passed (trace.ladder.Facts): without asking."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property

from labctl.frozen import frozen
from labctl.live.state import LabState
from labctl.topology.interface_ref import InterfaceRef
from labctl.trace.clocks import HERE, Clocks
from labctl.trace.dissect import Packet
from labctl.web.lines import Lines
from labctl.web.picture import engine_fault


@frozen
class KnownFacts:
    """The answers of a model and of a picture; what the kernel would do with a packet they do not know."""

    state: LabState
    lines: Lines

    def route(self, namespace: str, packet: Packet, arrived: str) -> str:
        return ""

    def refusal(self, namespace: str, packet: Packet, arrived: str) -> str:
        return ""

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

    def cable(self, arriving: InterfaceRef) -> str:
        return ""

    def cable_loss(self, leaving: InterfaceRef) -> str:
        return ""

    def within(self, one: str, other: str) -> int:
        return self.clocks.within(self.hosts[one], self.hosts[other]) if {one, other} <= self.hosts.keys() else 0

    @cached_property
    def hosts(self) -> Mapping[str, str]:
        """Return the host of each namespace, where the lab is over hosts."""
        return {name: host for host, known in self.state.hosts.items() for name in known.namespaces}

    @cached_property
    def clocks(self) -> Clocks:
        """Return how well the clocks of the hosts are known, whose times are brought to that of this machine."""
        known = {HERE: 0.0, **{host: each.within for host, each in self.state.hosts.items()}}
        bounds = {(a, b): round((known[a] + known[b]) * 1e9) if a != b else 0 for a in known for b in known}
        return Clocks(dict.fromkeys(known, 0), bounds)

    def reader(self, namespace: str, port: int) -> InterfaceRef | None:
        found = (device for device in self.state.engines if device.namespace == namespace)
        return next((device for device in found if self.state.engines[device].spec.bind.port == port), None)
