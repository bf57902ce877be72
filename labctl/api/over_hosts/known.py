"""What is known here of a lab over hosts, with none of them asked."""

from __future__ import annotations

from collections.abc import Sequence

from labctl.errors import LabError
from labctl.hosts.record import Record, existing
from labctl.lab.names import NOTHING_RUNS, Names, chosen
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
    from labctl.topology.cables import cables_of

    return Names(
        tuple(record.namespaces),
        (
            *(str(endpoint.device) for endpoint in topology.ttun),
            *(str(end) for it in cables_of(topology) for end in it),
        ),
        tuple(f"{name}:{each.name}" for name, space in topology.namespaces.items() for each in space.programs),
        tuple(check.name for check in topology.checks),
    )


def that_run(record: Record, named: Sequence[str]) -> dict[str, list[str]]:
    """Return the engines and programs of a lab that are named, or all, by the host of each. Raise UsageError."""
    if not record.topology:  # then only the hosts know what runs there
        return record.by_host(named) or {host: [] for host in record.hosts}
    there = names(record)
    found = record.by_host(chosen(record.lab, named, (*there.devices, *there.programs), NOTHING_RUNS))
    return {host: found[host] for host in record.hosts if host in found}
