"""Why over hosts: a ping from one namespace, and what becomes of its packets where nothing comes back."""

from __future__ import annotations

from labctl.api.over_hosts.at_hand import at_hand
from labctl.api.over_hosts.sessions import sessions
from labctl.api.over_hosts.verify import There, applied, explained
from labctl.hosts.record import Record
from labctl.lab.names import resolve
from labctl.lab.why import Reached, question
from labctl.plan.desired import desired


def why(record: Record, namespace: str, typed: str) -> Reached:
    """Ping an address from a namespace, and explain where nothing comes back. Raise LabError."""
    wanted = desired(applied(record))
    sender = resolve(record.lab, namespace, record.namespaces, "no namespace named")
    address, check = question(wanted.topology, sender, typed)
    with sessions(record.hosts) as found:
        found.reach_all()
        with at_hand(record, found) as hosts:
            ((result, causes),) = explained(record, There(record.lab, hosts), wanted, [check])
            for error in hosts.lost.values() if not result.asked else ():
                raise error
    return Reached(record.lab, sender, str(address), result.passed, result.observed, tuple(causes))
