"""Trace over hosts: all of them look at once, and what they saw becomes one journey for each packet.

The command runs, or the check is asked, on the host of its namespace. By which route a packet went, and what engines
did not pass on, each host is asked about what is there.
"""

from __future__ import annotations

import select
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import cache, partial
from typing import TYPE_CHECKING, TypeVar

from labctl.api.over_hosts.at_hand import at_hand
from labctl.api.over_hosts.conversation import Conversation
from labctl.api.over_hosts.sessions import Sessions, sessions
from labctl.api.over_hosts.there import labctl
from labctl.api.over_hosts.verify import There, applied, explained
from labctl.api.work import packets as work
from labctl.diagnosis.grouping import by_cause
from labctl.diagnosis.verdict import in_a_line
from labctl.errors import ExitCode, LabError, UsageError
from labctl.hosts.passing_on import run_hearing
from labctl.hosts.record import Record
from labctl.kernel.packet_taps import Seen
from labctl.lab.carriers import Carriers
from labctl.lab.look import Look
from labctl.lab.names import resolve
from labctl.lab.trace import QUIET, alone, settled
from labctl.lab.traced import MOST_BYTES, Gathered, Meant, Traced, followed
from labctl.plan.desired import desired
from labctl.topology.cables import cables_of
from labctl.topology.interface_ref import InterfaceRef
from labctl.trace.clocks import Clocks
from labctl.trace.dissect import Packet
from labctl.trace.merging import on_one_clock
from labctl.trace.selection import of_check, of_command
from labctl.trace.sightings import sightings

if TYPE_CHECKING:
    from labctl.checks.results import Result

LOOK = 0.1
"""Seconds for which a host waits for a packet, while it is not known whether the command has ended."""

Ports = frozenset[tuple[int, int]]
Answer = TypeVar("Answer")


def trace_command(record: Record, namespace: str, command: Sequence[str], to_stderr: bool, stop: int) -> Traced:
    """Run a command in a namespace and follow its packets, as `lab.trace.trace_command` does."""
    name = resolve(record.lab, namespace, record.namespaces, "no namespace named")
    with _watching(record) as (found, watch):
        output = sys.stderr.fileno() if to_stderr else None
        run = partial(run_hearing, stop, ready=watch.readable, output=output)
        code: int = ExitCode.UNREACHABLE
        with watch.kept():
            code = labctl(record, name, ["exec", name, "--", *command], run)
        watch.settle()
        traced = watch.traced(Meant(tuple(command), {name}, of_command), code)
        if traced.has_losses and not traced.lost:
            from labctl.lab.trace_causes import causes

            with at_hand(record, found) as hosts:
                explain = partial(explained, record, There(record.lab, hosts))
                return replace(traced, diagnosis=causes(record.applied(), name, traced.ladders, explain))
        return traced


def trace_check(record: Record, check: str, show: Callable[[Result], object]) -> Traced:
    """Run a check without those that it needs, and follow its packets, as `lab.trace.trace_check` does."""
    wanted = desired(applied(record))
    known = wanted.topology.checks
    if check in record.namespaces and check not in {each.name for each in known}:
        hint = f"labctl trace {check} -- ping -c 1 ADDRESS"
        raise UsageError(f"{check} is a namespace of lab {record.lab}, and no check", "a command is missing", hint)
    asked = alone(record.lab, known, check)
    code: int = ExitCode.UNREACHABLE
    causes = []
    with _watching(record) as (found, watch):
        with watch.kept(), at_hand(record, found) as hosts:
            for result, why in explained(record, There(record.lab, hosts), wanted, [asked]):
                causes.append((result.name, why))
                code = int(not result.passed)
                show(replace(result, lost=in_a_line(why)))
        watch.settle()
        traced = watch.traced(Meant((asked.name,), set(asked.probe.namespaces.values()), of_check), code)
    return replace(traced, diagnosis=by_cause(causes))


@contextmanager
def _watching(record: Record) -> Iterator[tuple[Sessions, _Watch]]:
    """Yield what all hosts see from now on."""
    with sessions(record.hosts) as found:
        found.reach_all()
        hosts = Conversation(found)
        try:
            looks = dict.fromkeys(record.hosts, partial(work.look, record.lab))
            told: Mapping[str, tuple[Ports, Carriers]] = hosts.begin(looks, tuple[Ports, Carriers])
            older: Ports = frozenset().union(*(ports for ports, _ in told.values()))
            hosts.say(older)
            hosts.told(None, record.hosts)
            for error in hosts.lost.values():
                raise error
            yield found, _Watch(record, hosts, older, Carriers.joined(carriers for _, carriers in told.values()))
        finally:
            hosts.end()


class _Watch:
    """What the hosts of a lab have seen so far."""

    def __init__(self, record: Record, hosts: Conversation, older: Ports, carriers: Carriers) -> None:
        self._record, self._hosts, self._older, self._carriers = record, hosts, older, carriers
        self._readings = hosts.readings()
        self._cut_off: list[LabError] = []
        self._seen: dict[str, list[Seen]] = {host: [] for host in record.hosts}
        self._bytes = self._left_out = 0
        self._missed = dict.fromkeys(record.hosts, 0)
        self._until = dict.fromkeys(record.hosts, 0)  # before which moment of its clock a host has told all
        self._held_back = False

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Keep for `traced` what cuts the body off where a host is lost: what was seen before is told with it."""
        try:
            yield
        except LabError as error:
            if error.exit_code is not ExitCode.UNREACHABLE:
                raise
            self._cut_off = [error]

    def readable(self, descriptors: Sequence[int]) -> Sequence[int]:
        """Take what hosts see until one of these descriptors is readable. Return those that are."""
        while not (ready := select.select(descriptors, [], [], 0)[0]):
            self._look(LOOK)
        return ready

    def settle(self) -> None:
        """Take what was seen until now, and what is still under way, as far as that comes in time."""
        now = {host: readings[-1].told for host, readings in self._hosts.readings().items()}
        began, more = time.monotonic(), True
        while not settled(began, more, self._held_back) or self._behind(now):
            here = dict.fromkeys(self._reached(), ())
            self._held_back = any(self._hosts.each(Look.holds_back, here).values())
            more = self._look(QUIET)

    def _reached(self) -> list[str]:
        return [host for host in self._seen if host not in self._hosts.lost]

    def _behind(self, moment: Mapping[str, int]) -> bool:
        """Return whether a host has not told yet all that it had seen at a moment, each by its clock."""
        return any(self._until[host] < moment.get(host, 0) for host in self._reached())

    def _look(self, seconds: float) -> bool:
        """Take what hosts have seen. Return whether that is anything."""
        portions = self._hosts.each(Look.portion, dict.fromkeys(self._reached(), (seconds,)))
        for host, portion in portions.items():
            self._missed[host], self._until[host] = portion.missed, portion.until
            for seen in portion.packets:
                self._bytes += len(seen.frame)
                if self._bytes > MOST_BYTES:
                    self._left_out += 1
                else:
                    self._seen[host].append(seen)
        return any(portion.packets for portion in portions.values())

    def traced(self, meant: Meant, exit_code: int) -> Traced:
        """Return the ladders of the packets that are meant."""
        for host, readings in self._hosts.readings().items():
            self._readings[host] += readings
        lost: tuple[LabError, ...] = (*self._hosts.lost.values(),) or (*self._cut_off,)
        missed = self._left_out + sum(self._missed.values())
        cables = _ends(self._record)
        found = {
            host: sightings(sorted(seen, key=lambda each: each.at), self._carriers.tunnel_ports)
            for host, seen in self._seen.items()
        }
        known, seen = on_one_clock(found, cables, self._readings, complete=not missed and not lost)
        gathered = Gathered(seen, self._carriers, self._older, missed, self._held_back)
        facts = _Facts(self._record.namespaces, cables, known, self._hosts)
        traced = followed(self._record.lab, meant, ExitCode.UNREACHABLE if lost else exit_code, gathered, facts)
        return replace(traced, clocks=known, lost=lost)


def _ends(record: Record) -> dict[InterfaceRef, InterfaceRef]:
    """Return the other end of each end of a cable between hosts."""
    return {ref: other for one, end in cables_of(applied(record)) for ref, other in ((one, end), (end, one))}


class _Facts:
    """What the hosts say of the places that a packet passed, each question once (trace.ladder.Facts)."""

    def __init__(
        self, hosts: Mapping[str, str], cables: Mapping[InterfaceRef, InterfaceRef], known: Clocks, there: Conversation
    ) -> None:
        self._hosts, self._cables, self._clocks, self._there = hosts, cables, known, there
        self._asked = cache(self._ask)

    def _ask(self, asked: Callable[..., Answer], namespace: str, *about: object) -> Answer | None:
        """Return the answer of the host of a namespace, None of one that is lost."""
        host = self._hosts[namespace]
        return None if host in self._there.lost else self._there.each(asked, {host: about}).get(host)

    def route(self, namespace: str, packet: Packet, arrived: str) -> str:
        return self._asked(Look.route, namespace, namespace, _header(packet), arrived) or ""

    def refusal(self, namespace: str, packet: Packet, arrived: str) -> str:
        return self._asked(Look.refusal, namespace, namespace, _header(packet), arrived) or ""

    def receiver(self, leaving: InterfaceRef) -> InterfaceRef | None:
        return self._cables.get(leaving) or self._asked(Look.receiver, leaving.namespace, leaving)

    def engine(self, device: InterfaceRef) -> str | None:
        return self._asked(Look.engine, device.namespace, device)

    def reader(self, namespace: str, port: int) -> InterfaceRef | None:
        return self._asked(Look.reader, namespace, namespace, port)

    def bridge(self, port: InterfaceRef) -> str:
        return self._asked(Look.bridge, port.namespace, port) or ""

    def cable(self, arriving: InterfaceRef) -> str:
        sender = self._cables.get(arriving)
        return f"the cable from {self._hosts[sender.namespace]} to {self._hosts[arriving.namespace]}" if sender else ""

    def cable_loss(self, leaving: InterfaceRef) -> str:
        ends = (leaving, self._cables[leaving]) if leaving in self._cables else ()
        told = ((self._hosts[end.namespace], self._asked(Look.cable_loss, end.namespace, end)) for end in ends)
        return "; ".join(f"on {host} {words}" for host, words in told if words)

    def within(self, one: str, other: str) -> int:
        return self._clocks.within(self._hosts[one], self._hosts[other])


def _header(packet: Packet) -> Packet:
    """Return a packet without its payload, on which no route depends."""
    return replace(packet, payload=b"", inside=(), quoted=None)
