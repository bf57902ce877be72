"""What is known here of a lab over hosts, with none of them asked."""

from __future__ import annotations

from labctl.errors import LabError
from labctl.hosts.record import Record, existing
from labctl.lab.names import Names
from labctl.lab.status import Summary


def summary(lab: str) -> Summary:
    """Return one line about a lab, which may be damaged: only that is known which namespaces are where."""
    try:
        record = existing(lab)
    except LabError:  # `down` says what it is; here the other labs are of interest, too
        return Summary(lab, "over hosts", False, 0, 0, 0)
    return Summary(lab, "over hosts", bool(record.topology), len(record.namespaces), 0, 0, hosts=tuple(record.hosts))


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
