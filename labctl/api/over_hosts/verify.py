"""Verify over hosts: checks are judged here, with the counters of all hosts; each probe is made where it begins.

What a check asks of the kernel goes to the host of the namespace that is meant. The counters are read on all hosts of
the way at once, on each once no engine there has packets left to carry.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from labctl.api.caller import Caller
from labctl.api.over_hosts.causes import Ends, causes
from labctl.api.over_hosts.sessions import Sessions, Task, sessions
from labctl.api.over_hosts.status import status_on
from labctl.api.work import parts
from labctl.checks.evidence import CountingPoint, Snapshot
from labctl.checks.kinds import kind_of
from labctl.checks.kinds.nc_apart import Half, met
from labctl.checks.results import Outcome, Result
from labctl.checks.run import Means, NoWatch, run
from labctl.diagnosis.grouping import by_cause
from labctl.diagnosis.verdict import Verdict, in_a_line
from labctl.errors import KernelRefused, LabError
from labctl.hosts.record import Record
from labctl.kernel.lookup import NoWay, Way
from labctl.lab.verify import Verified, chosen
from labctl.plan.desired import Desired, desired
from labctl.process.patience import Patience
from labctl.topology.interface_ref import InterfaceRef
from labctl.topology.model import Check, Nc, Probe, Topology
from labctl.topology.values import Host

if TYPE_CHECKING:
    from labctl.topology.checks_file import ChecksFile

LONGER = 1.0
"""Seconds by which a time-out is longer than on one machine: each look goes to the hosts and back."""


def verify(record: Record, names: Sequence[str], system_tools: bool, file: str | None, caller: Caller) -> Verified:
    """Run the named checks of a lab over hosts, or all, and tell each result as soon as it is there."""
    if system_tools:
        raise LabError(
            "--system-tools does not work yet for a lab over several hosts",
            f"lab {record.lab} is on {', '.join(record.hosts)}",
            "without it the checks are asked with labctl's own probes",
        )
    wanted = desired(applied(record))
    checks = chosen(record.lab, _known(wanted, file), names)
    with sessions(record.logins) as found, ExitStack() as exits:
        found.reach_all()
        means = exits.enter_context(checking(record, found))
        results: list[Result] = []
        found_causes: list[tuple[str, Sequence[Verdict]]] = []
        known = {check.name: check for check in checks}
        for result in run(wanted, checks, means):
            ends = {} if result.passed or result.lacks else ends_on(record, found)
            why = causes(wanted.topology, known[result.name], ends)
            results.append(replace(result, lost=in_a_line(why)))
            found_causes.append((result.name, why))
            caller.tell(results[-1])
        pending = status_on(record, found).pending
    drift = pending.changes if pending else ()
    return Verified(record.lab, record.file, tuple(results), drift, by_cause(found_causes))


def ends_on(record: Record, found: Sessions) -> Ends:
    """Return how the ends of the cables are now, on the hosts that answer."""
    answers = found.do(dict.fromkeys(found.reached, partial(parts.cables, record.lab, 0.0)))
    there = {host: answer for host, answer in answers.items() if not isinstance(answer, LabError)}
    return {InterfaceRef.typed(end.device): (host, end) for host, cables in there.items() for end in cables.values()}


def applied(record: Record) -> Topology:
    """Return the topology as applied. Raise KernelRefused where the lab never came up."""
    topology = record.applied()
    if topology is None:
        raise KernelRefused(f"lab {record.lab} never came up", "its labctl up was cut off", f"labctl down {record.lab}")
    return topology


def _known(wanted: Desired, file: str | None) -> Sequence[Check]:
    if file is None:
        return wanted.topology.checks
    from labctl.topology.checks_file import checks_for, read

    read_file: ChecksFile = read(Path(file))
    return checks_for(wanted.topology, read_file)


@contextmanager
def checking(record: Record, found: Sessions) -> Iterator[Means]:
    """Yield what the checks of a lab over hosts are made with, while no other command makes any: they count packets.

    Each host in its turn, in one order for all, so that no two commands wait for one another.
    """
    held: list[Task[None]] = []
    for host in sorted(record.hosts):
        held.append(task := found.start(host, partial(parts.alone, record.lab)))
        if found.first_told(task) is None:
            _ = task.result  # which raises what kept it from that
    try:
        yield _means(record, found)
    finally:
        for task in held:
            found.tell(task, True)


def _means(record: Record, found: Sessions) -> Means:
    there = _There(record, found)
    return Means(there, NoWatch(), there.observe, there, _patience)


def _patience(seconds: float, *others: int) -> Patience:
    return Patience(seconds + LONGER if seconds else 0, *others)


class _There:
    """The hosts of a lab, asked for what a check needs (checks.results.Tools, checks.held_back.Kernel)."""

    def __init__(self, record: Record, found: Sessions) -> None:
        self._lab, self._found = record.lab, found
        self._hosts: Mapping[str, str] = record.namespaces

    def observe(self, points: Collection[CountingPoint]) -> Snapshot:
        """Return the counters of these points as they are now, of all hosts."""
        by_host: dict[str, list[CountingPoint]] = {}
        for point in points:
            by_host.setdefault(self._hosts[point.ref.namespace], []).append(point)
        works = {host: partial(parts.counted, self._lab, there) for host, there in by_host.items()}
        snapshots = self._found.all(works).values()
        return Snapshot(
            {ref: counters for each in snapshots for ref, counters in each.interfaces.items()},
            {ref: counters for each in snapshots for ref, counters in each.engines.items()},
        )

    def prepare(self, checks: Sequence[Check]) -> None:
        """Nothing is needed but labctl on each host."""

    def typed(self, probe: Probe) -> str:
        """Return what a person types for the same."""
        return kind_of(probe).typed()

    def ask(self, probe: Probe) -> Outcome:
        """Make a probe on the host where it begins."""
        hosts = [self._hosts[name] for name in probe.namespaces.values()]
        if len(set(hosts)) == 1:
            return self._found.on(hosts[0], partial(parts.asked, self._lab, probe))
        if isinstance(probe, Nc):
            asked = partial(parts.asked, self._lab, probe)
            return self._between(probe) if probe.server else self._found.on(hosts[0], asked)
        return Outcome("unasked", f"it is not measured yet between hosts ({', '.join(dict.fromkeys(hosts))})")

    def _between(self, probe: Nc) -> Outcome:
        """Carry the data of a check from a client on one host to a server on another."""
        found = self._found
        server = found.start(self._hosts[probe.to], partial(parts.served, self._lab, probe))
        if found.first_told(server) is None:
            found.settle([server], keep=True)
            return met(probe, server.result, Half())
        called = found.on(self._hosts[probe.from_], partial(parts.called, self._lab, probe))
        if called.outcome:  # nothing was sent
            found.interrupt([server])
            found.until(lambda: server.over)
            return called.outcome
        found.wait([server])
        found.settle([server], keep=True)
        return met(probe, server.result, called)

    def way(self, namespace: str, to: Host) -> Way | NoWay:
        """Return the way of a packet that a namespace sends."""
        return self._found.on(self._hosts[namespace], partial(parts.way, self._lab, namespace, to))

    def resolved(self, ref: InterfaceRef, neighbour: str) -> bool:
        """Return whether nothing waits at an interface for the link-layer address of a neighbour."""
        return self._found.on(self._hosts[ref.namespace], partial(parts.resolved, self._lab, ref, neighbour))
