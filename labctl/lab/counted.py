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
    """SNMP counters, packets that interfaces did not take in or did not send, and what queues and filters did."""

    snmp: Mapping[str, int] = field(default_factory=dict)
    dropped: Mapping[str, int] = field(default_factory=dict)
    unsent: Mapping[str, int] = field(default_factory=dict)
    control: Mapping[str, TrafficControl] = field(default_factory=dict)

    def since(self, before: Counted) -> Counted:
        """Return what was added, without what did not change."""
        nothing = TrafficControl((), ())
        return Counted(
            snmp.moved(before.snmp, self.snmp),
            snmp.moved(before.dropped, self.dropped),
            snmp.moved(before.unsent, self.unsent),
            {name: each.since(before.control.get(name, nothing)) for name, each in self.control.items()},
        )


def counted(name: str) -> Counted:
    """Return what was counted in a namespace so far."""
    with suppress(LabError, OSError), namespaces.inside(name):
        found = {each: details.statistics for each, details in interfaces.details().items()}
        dropped, unsent = (
            {each: statistics.get(name, 0) for each, statistics in found.items()}
            for name in ("rx_dropped", "tx_dropped")
        )
        return Counted(snmp.counters(), dropped, unsent, traffic_control())
    return Counted()
