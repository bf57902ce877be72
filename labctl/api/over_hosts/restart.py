"""Restart over hosts: each engine and program on its host; cables that begin anew are joined again."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from labctl.api.caller import Caller
from labctl.api.over_hosts.known import that_run
from labctl.api.over_hosts.sessions import sessions
from labctl.api.over_hosts.up import make
from labctl.api.over_hosts.verify import applied
from labctl.api.work import lifecycle
from labctl.hosts.record import Record
from labctl.lab.lock import locked_over_hosts
from labctl.lab.restart import Restarted


def restart(record: Record, named: Sequence[str]) -> Restarted:
    """End engines and programs, all or those named, and start them again. Raise LabError."""
    topology = applied(record)
    runs = that_run(record, named)
    works = {host: partial(lifecycle.restart, record.lab, names) for host, names in runs.items()}
    with locked_over_hosts(record.lab):
        with sessions({host: record.hosts[host] for host in works}) as found:
            found.reach_all()
            each = found.all(works).values()
        if any(one.cables for one in each):
            make(topology, record.file, record.inventory, record, Caller())
    return Restarted(
        tuple(engine for one in each for engine in one.engines),
        tuple(program for one in each for program in one.programs),
        tuple(cable for one in each for cable in one.cables),
    )
