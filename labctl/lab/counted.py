"""What the kernel counts in a namespace, beside packets: by the names of nstat(8), per interface, and in queues."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import field

from labctl.errors import LabError
from labctl.frozen import frozen
from labctl.kernel import interfaces, namespaces, snmp
from labctl.kernel.traffic_control import TrafficControl, traffic_control


@frozen
class Counted:
    """SNMP counters, packets that interfaces did not take in, and what queues and filters did."""

    snmp: Mapping[str, int] = field(default_factory=dict)
    dropped: Mapping[str, int] = field(default_factory=dict)
    control: Mapping[str, TrafficControl] = field(default_factory=dict)

    def since(self, before: Counted) -> Counted:
        """Return what was added, without what did not change."""
        nothing = TrafficControl((), ())
        control = {name: each.since(before.control.get(name, nothing)) for name, each in self.control.items()}
        return Counted(snmp.moved(before.snmp, self.snmp), snmp.moved(before.dropped, self.dropped), control)


def counted(name: str) -> Counted:
    """Return what was counted in a namespace so far."""
    with suppress(LabError, OSError), namespaces.inside(name):
        found = interfaces.details()
        dropped = {each: details.statistics.get("rx_dropped", 0) for each, details in found.items()}
        return Counted(snmp.counters(), dropped, traffic_control())
    return Counted()
