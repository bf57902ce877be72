"""What `up` would do over hosts: what each would, as one plan."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING

from labctl.api.over_hosts import cables
from labctl.api.over_hosts.sessions import sessions
from labctl.api.over_hosts.up import stood
from labctl.api.work import parts
from labctl.hosts.record import Record, recorded
from labctl.lab.reconcile import Planned
from labctl.plan.change import Change
from labctl.plan.parts import parts as parts_of
from labctl.plan.plan import Pending
from labctl.plan.steps.namespaces import DeleteNamespace

if TYPE_CHECKING:
    from labctl.topology.model import Topology


def plan(topology: Topology) -> Planned:
    """Look what `up` would do on all hosts of a lab. Raise LabError where it would, or where one is not reached."""
    asked, before = cables.with_addresses(topology), recorded(topology.name)
    record = Record.of(asked, parts_of(asked), "")
    with sessions({**(before.hosts if before else {}), **record.hosts}) as found:
        found.reach_all()
        shares = parts_of(cables.fit(found, asked, stood(found, asked.name, before)))
        tasks = [found.start(host, partial(parts.plan, share)) for host, share in shares.items()]
        found.wait(tasks)
    each = [task.result.pending for task in tasks]
    changes = (*(_left_behind(record, before) if before else ()), *(change for one in each for change in one.changes))
    return Planned(topology.name, before.file if before else "", Pending(changes, each[0].coverage))


def _left_behind(record: Record, before: Record) -> Iterator[Change]:
    """Yield the end of what is on hosts that the lab is not on any more."""
    for host, known in before.hosts.items():
        if host not in record.hosts:
            why = f"the lab is not on {host} any more"
            yield from (Change(DeleteNamespace(name), why) for name in known.namespaces)
