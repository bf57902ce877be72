"""What is known here of a lab over hosts, with none of them asked."""

from __future__ import annotations

from labctl.hosts.record import Record
from labctl.lab.names import Names
from labctl.lab.status import Summary


def summary(record: Record) -> Summary:
    """Return one line about a lab, of which only that is known which namespaces are where."""
    return Summary(
        record.lab, "over hosts", bool(record.topology), len(record.namespaces), 0, 0, hosts=tuple(record.hosts)
    )


def names(record: Record) -> Names:
    """Return the names inside a lab, by its topology."""
    topology = record.applied()
    if topology is None:
        return Names(tuple(record.namespaces), (), (), ())
    return Names(
        tuple(record.namespaces),
        tuple(str(endpoint.device) for endpoint in topology.ttun),
        tuple(f"{name}:{each.name}" for name, space in topology.namespaces.items() for each in space.programs),
        tuple(check.name for check in topology.checks),
    )
