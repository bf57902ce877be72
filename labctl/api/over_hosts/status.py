"""Status over hosts: what is there on each as one lab. A host that is not reached is a state, and no failure."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from labctl.api.over_hosts.sessions import Sessions, sessions
from labctl.api.work import parts
from labctl.errors import LabError
from labctl.hosts.record import Record
from labctl.lab.names import ANOTHER
from labctl.lab.status import HostStatus, Status
from labctl.plan.desired import desired
from labctl.plan.facts import NOTHING, Namespace
from labctl.plan.parts import parts as parts_of
from labctl.plan.plan import Pending, between


def status(record: Record) -> Status:
    """Look what is there of a lab over hosts. Of what is on hosts that are not reached nothing is told."""
    with sessions(record.hosts) as found:
        return status_on(record, found)


def status_on(record: Record, found: Sessions) -> Status:
    """Look what is there of a lab on the hosts of these sessions."""
    answers = found.do({host: partial(parts.status, record.lab) for host in found.reached})
    lost = {**found.lost, **{host: answer for host, answer in answers.items() if isinstance(answer, LabError)}}
    there = {host: answer for host, answer in answers.items() if not isinstance(answer, LabError)}
    another = {host for host, answer in there.items() if answer and record.is_another(host, answer.mark)}
    there |= dict.fromkeys(another)  # of ours nothing is left
    each = [answer for answer in there.values() if answer is not None]
    return Status(
        record.lab,
        "/".join(sorted({status.mode for status in each})) or "over hosts",
        record.file,
        {name: space for host, answer in there.items() for name, space in _namespaces(record, host, answer).items()},
        tuple(engine for status in each for engine in status.engines),
        tuple(substitution for status in each for substitution in status.substitutions),
        _pending(record, there),
        record.applied(),
        tuple(program for status in each for program in status.programs),
        tuple(cable for status in each for cable in status.cables),
        hosts=tuple(
            HostStatus(host, known.namespaces, host not in lost, ANOTHER if host in another else _why(lost.get(host)))
            for host, known in record.hosts.items()
        ),
        inventory=record.inventory,
    )


def _why(error: LabError | None) -> str:
    return "" if error is None else error.why or error.what


def _namespaces(record: Record, host: str, found: Status | None) -> Mapping[str, Namespace | None]:
    """Return the namespaces of a host; where nothing of the lab is there, all are gone."""
    return dict.fromkeys(record.hosts[host].namespaces) if found is None else found.namespaces


def _pending(record: Record, there: Mapping[str, Status | None]) -> Pending | None:
    """Return what `up` would do on the hosts that are reached; None where that is not known of one of them."""
    topology = record.applied()
    if topology is None or not there:
        return None
    shares = parts_of(topology)
    found = [between(desired(shares[host]), NOTHING) if each is None else each.pending for host, each in there.items()]
    known = [each for each in found if each is not None]
    if len(known) < len(found):
        return None
    return Pending(tuple(change for each in known for change in each.changes), known[0].coverage)
