"""Verify over hosts: checks are judged here, with the counters of all hosts; each probe is made where it begins.

What a check asks of the kernel goes to the host of the namespace that is meant. The counters are read on all hosts of
the way at once, on each once no engine there has packets left to carry. Why a check has failed is worked out here, too.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeVar

from labctl.api.caller import Caller, answered
from labctl.api.over_hosts.at_hand import LabAtHand, at_hand
from labctl.api.over_hosts.gather import GatherThere
from labctl.api.over_hosts.sessions import Sessions, sessions
from labctl.api.work import halves
from labctl.checks.evidence import CountingPoint, Snapshot
from labctl.checks.kinds import kind_of, nc_apart, throughput_apart
from labctl.checks.kinds.nc_apart import Half
from labctl.checks.kinds.throughput_apart import Received, Sent
from labctl.checks.results import Outcome, Result
from labctl.checks.run import Means, NoWatch, run
from labctl.diagnosis.grouping import by_cause
from labctl.diagnosis.reasons import Reason
from labctl.diagnosis.verdict import Verdict, in_a_line
from labctl.errors import KernelRefused
from labctl.hosts.errors import HostLost
from labctl.hosts.record import Record, existing, recorded
from labctl.kernel.lookup import NoWay, Way
from labctl.lab.at_hand import AtHand
from labctl.lab.explain import Explainer
from labctl.lab.file_lines import file_of
from labctl.lab.verify import Verified, chosen
from labctl.plan.desired import Desired, desired
from labctl.process.patience import Patience
from labctl.topology.interface_ref import InterfaceRef
from labctl.topology.model import Check, Nc, Probe, Throughput, Topology
from labctl.topology.rename import given_name
from labctl.topology.shipped import as_typed
from labctl.topology.values import Host

if TYPE_CHECKING:
    from labctl.topology.checks_file import ChecksFile

Both = TypeVar("Both", Nc, Throughput)


class _Half(Protocol):
    """What one half of a probe has seen; `outcome` where it could not begin."""

    @property
    def outcome(self) -> Outcome | None: ...


Listened = TypeVar("Listened", bound=_Half)
Called = TypeVar("Called", bound=_Half)

LONGER = 1.0
"""Seconds by which a time-out is longer than on one machine: each look goes to the hosts and back."""


def verify(record: Record, names: Sequence[str], system_tools: bool, file: str | None, caller: Caller) -> Verified:
    """Run the named checks of a lab over hosts, or all, and tell each result as soon as it is there."""
    wanted = desired(applied(record))
    checks = chosen(record.lab, _known(wanted, file), names)
    with sessions(record.hosts) as found:
        return _verified(record, found, wanted, checks, system_tools, caller.tell)


def verify_in_turn(lab: str, caller: Caller) -> None:
    """Run the check that is asked for, and then the next, by one login to each host until one is lost."""
    asked = caller.hear()
    while asked is not None:
        record = existing(lab)
        with sessions(record.hosts) as found:
            while asked is not None:
                caller.tell(answered(_verify_one, record, found, asked))
                asked = caller.hear()
                if found.lost or recorded(lab) != record:
                    break


def _verify_one(record: Record, found: Sessions, name: str) -> Verified:
    wanted = desired(applied(record))
    checks = chosen(record.lab, wanted.topology.checks, [name])
    return _verified(record, found, wanted, checks, False, lambda _: None)


def _verified(
    record: Record,
    found: Sessions,
    wanted: Desired,
    checks: Sequence[Check],
    system_tools: bool,
    tell: Callable[[Result], object],
) -> Verified:
    """Run checks of a lab by sessions on its hosts, and tell each result. Raise LabError where one is not reached."""
    results: list[Result] = []
    causes: list[tuple[str, Sequence[Verdict]]] = []
    found.reach_all()
    with at_hand(record, found) as hosts:
        tools = ProgramsThere(record.lab, hosts) if system_tools else There(record.lab, hosts)
        for result, why in explained(record, tools, wanted, checks):
            results.append(replace(result, lost=in_a_line(why)))
            causes.append((result.name, why))
            tell(results[-1])
        drift = tuple(change for each in hosts.all_reached(AtHand.pending).values() for change in each)
        verified = Verified(record.lab, record.file, tuple(results), drift, by_cause(causes))
        name = given_name(record.lab, record.namespaces)
        return replace(verified, inventory=record.inventory, given_name=name, lost=tuple(hosts.lost.values()))


def explained(
    record: Record, there: There, wanted: Desired, checks: Sequence[Check]
) -> Iterator[tuple[Result, Sequence[Verdict]]]:
    """Run checks of a lab over hosts, and yield the result of each with why it has failed."""
    file = file_of(record.file, wanted, record.inventory)
    explainer = Explainer(GatherThere(there.hosts, there, wanted.topology), file, wanted, checks)
    for result in run(wanted, checks, Means(there, explainer, there.observe, there, _patience)):
        unreached = there.hosts.lost and not result.asked
        yield result, () if result.passed or result.lacks or unreached else _explained(explainer, result)


def measured(record: Record, hosts: LabAtHand, wanted: Desired, check: Check) -> Result:
    """Run a check of a lab over hosts with no look at whose the packets are that are counted."""
    there = There(record.lab, hosts)
    (result,) = run(wanted, [check], Means(there, NoWatch(), there.observe, there, _patience))
    return result


def _explained(explainer: Explainer, result: Result) -> Sequence[Verdict]:
    """Return why a check has failed; that it is not known where a host is lost meanwhile, and with it what is there."""
    try:
        return explainer.explain(result)
    except HostLost as lost:
        words = f"what took the packets is not known: {lost.host} was not reached any more to ask it"
        return [Verdict(lost.host, Reason.UNKNOWN, words, (), "")]


def applied(record: Record) -> Topology:
    """Return the topology as applied. Raise KernelRefused where the lab never came up."""
    topology = record.applied()
    if topology is None:
        typed = as_typed(record.file, record.inventory, given_name(record.lab, record.namespaces))
        again = f"labctl up {typed} makes it whole, " if record.file else ""
        hint = f"{again}labctl down {record.lab} ends it"
        raise KernelRefused(f"lab {record.lab} never came up", "its labctl up was cut off", hint)
    return topology


def _known(wanted: Desired, file: str | None) -> Sequence[Check]:
    if file is None:
        return wanted.topology.checks
    from labctl.topology.checks_file import checks_for, read

    read_file: ChecksFile = read(Path(file))
    return checks_for(wanted.topology, read_file)


def _patience(seconds: float, *others: int) -> Patience:
    return Patience(seconds + LONGER if seconds else 0, *others)


class There:
    """The hosts of a lab, asked for what a check needs (checks.results.Tools, checks.held_back.Kernel)."""

    def __init__(self, lab: str, hosts: LabAtHand) -> None:
        self._lab, self.hosts = lab, hosts

    def observe(self, points: Collection[CountingPoint]) -> Snapshot:
        """Return the counters of these points as they are now, of all hosts."""
        by_host: dict[str, tuple[list[CountingPoint]]] = {}
        for point in points:
            by_host.setdefault(self.hosts.hosts[point.ref.namespace], ([],))[0].append(point)
        snapshots = self.hosts.each(AtHand.observe, by_host).values()
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
        hosts = [self.hosts.hosts[name] for name in probe.namespaces.values()]
        if len(set(hosts)) == 1 or (isinstance(probe, Nc) and not probe.server):
            return self.hosts.ask(hosts[0], AtHand.ask, probe)
        if isinstance(probe, Nc):
            return nc_apart.met(probe, *self.apart(probe, halves.served, halves.called, Half(), Half()))
        assert isinstance(probe, Throughput), "no other probe has two namespaces"
        return throughput_apart.met(probe, *self.apart(probe, halves.received, halves.sent, Received(), Sent()))

    def apart(
        self,
        probe: Both,
        listen: Callable[[str, Both, Caller], Listened],
        send: Callable[[str, Both, Caller], Called],
        unheard: Listened,
        unsent: Called,
    ) -> tuple[Listened, Called]:
        """Have one half of a probe listen on its host, and then the other one send on its own.

        Return what each has seen; of one that was not begun, or heard nothing for nothing was sent, the last two.
        """
        found = self.hosts.sessions
        listens = found.start(self.hosts.hosts[probe.to], partial(listen, self._lab, probe))
        if found.first_told(listens) is None:
            found.settle([listens], keep=True)
            return listens.result, unsent
        sends = found.start(self.hosts.hosts[probe.from_], partial(send, self._lab, probe))
        if found.first_told(sends):  # that it has begun
            found.tell(listens, True)
            found.first_told(listens, sends)  # enough, or nothing where one of them is over
        found.tell(sends, True)
        found.wait([sends])
        if sends.error or sends.result.outcome:
            found.interrupt([listens])
        found.tell(listens, True)
        found.wait([listens])
        found.settle([sends, listens], keep=True)
        return unheard if sends.result.outcome else listens.result, sends.result

    def way(self, namespace: str, to: Host) -> Way | NoWay:
        """Return the way of a packet that a namespace sends."""
        return self.hosts.ask(self.hosts.hosts[namespace], AtHand.way, namespace, to)

    def resolved(self, ref: InterfaceRef, neighbour: str) -> bool:
        """Return whether nothing waits at an interface for the link-layer address of a neighbour."""
        return self.hosts.ask(self.hosts.hosts[ref.namespace], AtHand.resolved, ref, neighbour)


class ProgramsThere(There):
    """The programs of the hosts in the place of labctl's own probes: of each the one where the namespace is."""

    def prepare(self, checks: Sequence[Check]) -> None:
        """Raise MachineError where a program is missing on a host that checks need there, or is not known."""
        by_host: dict[str, tuple[list[Probe]]] = {}
        for check in checks:
            for host in {self.hosts.hosts[name] for name in check.probe.namespaces.values()}:
                by_host.setdefault(host, ([],))[0].append(check.probe)
        self.hosts.each(AtHand.has_programs, by_host)

    def typed(self, probe: Probe) -> str:
        """Return what a person types for the same on the host where it begins."""
        return self.hosts.ask(self._begins(probe), AtHand.typed, probe)

    def ask(self, probe: Probe) -> Outcome:
        """Make a probe with the program for it on the host where it begins."""
        hosts = {self.hosts.hosts[name] for name in probe.namespaces.values()}
        if isinstance(probe, Nc) and probe.server and len(hosts) > 1:
            by_program = (halves.served_by_program, halves.called_by_program)
            return nc_apart.met(probe, *self.apart(probe, *by_program, Half(), Half()))
        if isinstance(probe, Throughput) and len(hosts) > 1:
            flow = (halves.received_by_program, halves.sent_by_program)
            return throughput_apart.met(probe, *self.apart(probe, *flow, Received(), Sent()))
        return self.hosts.ask(self._begins(probe), AtHand.ask_program, probe)

    def _begins(self, probe: Probe) -> str:
        return self.hosts.hosts[next(iter(probe.namespaces.values()))]
