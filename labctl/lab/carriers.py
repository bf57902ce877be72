"""What carries the packets of a lab at interfaces where no cable is plugged in: what a reader of frames has to know."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import field
from typing import Self

from labctl.frozen import frozen
from labctl.lab.journal import Recorded
from labctl.topology.interface_ref import InterfaceRef


@frozen
class Carriers:
    """The tunnels of a lab, and its cables between hosts: in words, by the interface of each end."""

    tunnel_ports: frozenset[int] = frozenset()
    """UDP ports of the tunnels, at either end."""

    words: Mapping[InterfaceRef, str] = field(default_factory=dict)

    @classmethod
    def of(cls, recorded: Recorded) -> Self:
        """Return those of a lab, or of what a host has of it."""
        specs = [engine.spec for engine in recorded.engines.values()]
        tunnels = {spec.device: f"tunnel from {spec.bind} to {spec.peer}" for spec in specs}
        cables = {
            each.spec.device: f"cable to {each.spec.peer}, on {each.spec.host}" for each in recorded.cables.values()
        }
        return cls(frozenset(end.port for spec in specs for end in (spec.bind, spec.peer)), {**tunnels, **cables})

    @classmethod
    def joined(cls, several: Iterable[Carriers]) -> Self:
        """Return those of all hosts of a lab."""
        known = list(several)
        words = {ref: told for each in known for ref, told in each.words.items()}
        return cls(frozenset(port for each in known for port in each.tunnel_ports), words)

    def describe(self, ref: InterfaceRef) -> str:
        """Return what is to be known of an interface beside its name."""
        carried = self.words.get(ref)
        return f"interface {ref.interface} of namespace {ref.namespace}{f', {carried}' if carried else ''}"
