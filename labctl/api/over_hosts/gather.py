"""What a diagnosis asks of a lab over hosts: each question goes to the host of the namespace, and one answer is made.

A cable between two hosts is a TAP device on each. To the diagnosis it is a veth as in the file, with its other end, and
what its engines measure is told beside it. The clocks of hosts differ, so packets are put in the order in which they
crossed the cables.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import replace
from functools import cached_property
from typing import Any

from labctl.api.over_hosts.at_hand import LabAtHand
from labctl.checks.results import Outcome, Tools
from labctl.diagnosis.facts import CableEnd, Engine, Space
from labctl.diagnosis.gather import Looked, LookUp, Met
from labctl.hosts.errors import speaks_otherwise
from labctl.kernel.conntrack import Connection
from labctl.kernel.lookup import NoWay, Way
from labctl.kernel.nftables.trace import Event
from labctl.kernel.packet_taps import Seen
from labctl.lab.at_hand import AtHand
from labctl.plan.change import Change
from labctl.plan.facts import Link, Namespace
from labctl.topology.cables import cables_of
from labctl.topology.interface_ref import InterfaceRef
from labctl.topology.model import Probe, Topology
from labctl.trace.clocks import Reading
from labctl.trace.merging import on_one_clock
from labctl.trace.sightings import sightings


class GatherThere:
    """The hosts of a lab, asked for what a diagnosis needs (diagnosis.gather.Gather). Raise LabError for one lost."""

    def __init__(self, hosts: LabAtHand, tools: Tools, topology: Topology) -> None:
        self._hosts, self._tools = hosts, tools
        self._ends = {end: other for one, two in cables_of(topology) for end, other in ((one, two), (two, one))}
        self._ports = frozenset(end.port for each in topology.ttun for end in (each.bind, each.peer))
        self._readings: dict[str, list[Reading]] = {}
        self._seen: dict[str, list[Seen]] = {}
        self._tracing: list[str] = []

    def watch(self, names: Collection[str]) -> Collection[str]:
        self._readings = self._hosts.readings()
        asked = self._sorted(names)
        there = self._hosts.each_reached(AtHand.watch, asked)
        return [name for host, found in there.items() for name in asked[host][0] if name in found]

    def begin(self, names: Collection[str], program: bytes) -> None:
        by_host = self._sorted(names)
        about = {host: (*by_host.get(host, ([],)), program) for host in self._hosts.reached}
        self._hosts.each(AtHand.begin, about)
        self._seen = {host: [] for host in about}

    def seen(self) -> Looked:
        unread = self._hosts.all_reached(AtHand.unread)
        for host, looked in unread.items():
            self._seen[host] += looked.packets
        missed = sum(looked.missed for looked in unread.values())
        found = {host: sightings(packets, self._ports) for host, packets in self._seen.items()}
        _, merged = on_one_clock(found, self._ends, self._readings, complete=not missed)
        return Looked([each.seen for each in merged], missed)

    def namespaces(self) -> Mapping[str, Namespace]:
        return self._namespaces

    @cached_property
    def _namespaces(self) -> Mapping[str, Namespace]:
        found: dict[str, Namespace] = self._together(self._hosts.all(AtHand.namespaces))
        there = {InterfaceRef(name, link) for name, space in found.items() for link in space.links}
        return {name: replace(space, links=dict(self._links(name, space, there))) for name, space in found.items()}

    def _links(self, name: str, space: Namespace, there: Set[InterfaceRef]) -> Iterator[tuple[str, Link]]:
        """Yield the interfaces of a namespace, with each end of a cable as the veth that it is by the file."""
        for interface, link in space.links.items():
            other = self._ends.get(InterfaceRef(name, interface))
            is_end = other is not None and link.kind == "tap"
            yield interface, replace(link, kind="veth", peer=other if other in there else None) if is_end else link

    def changes(self) -> Sequence[Change]:
        return [change for found in self._hosts.all(AtHand.changes).values() for change in found]

    def spaces(self, names: Collection[str]) -> Mapping[str, Space]:
        found: dict[str, Space] = self._together(self._hosts.each(AtHand.spaces, self._sorted(names)))
        known = self._namespaces
        return {
            name: space if space.gone or name not in known else replace(space, links=known[name].links)
            for name, space in found.items()
        }

    def engines(self) -> Mapping[InterfaceRef, Engine]:
        return self._together(self._hosts.all(AtHand.engines))

    def cables(self) -> Mapping[InterfaceRef, CableEnd]:
        return self._together(self._hosts.all(AtHand.cables))

    def connections(self, names: Collection[str]) -> Mapping[str, Sequence[Connection]]:
        return self._together(self._hosts.each(AtHand.connections, self._sorted(names)))

    def look_ups(self, asked: Sequence[LookUp]) -> Sequence[Way | NoWay | None]:
        by_host: dict[str, list[LookUp]] = {}
        for each in asked:
            by_host.setdefault(self._hosts.hosts[each.namespace], []).append(each)
        answers = self._hosts.each(AtHand.look_ups, {host: (each,) for host, each in by_host.items()})
        for host, questions in by_host.items():
            if len(answers[host]) != len(questions):
                raise speaks_otherwise(host, f"{len(answers[host])} answers came to {len(questions)} questions")
        found = {host: iter(each) for host, each in answers.items()}
        return [next(found[self._hosts.hosts[each.namespace]]) for each in asked]

    def setting(self, namespace: str, path: str) -> str | None:
        return self._hosts.ask(self._hosts.hosts[namespace], AtHand.setting, namespace, path)

    def begin_trace(self, wanted: Mapping[str, Met]) -> Collection[str]:
        by_host = {host: ({name: wanted[name] for name in names},) for host, (names,) in self._sorted(wanted).items()}
        self._tracing = [*by_host]
        there = self._hosts.each(AtHand.begin_trace, by_host)
        return [name for host, (asked,) in by_host.items() for name in asked if name in there[host]]

    def events(self) -> Mapping[str, Sequence[Event]]:
        return self._together(self._hosts.each(AtHand.events, dict.fromkeys(self._tracing, ())))

    def end_trace(self) -> None:
        self._hosts.each(AtHand.end_trace, dict.fromkeys(self._tracing, ()))
        self._tracing = []

    def ask(self, probe: Probe) -> Outcome:
        return self._tools.ask(probe)

    def _sorted(self, names: Iterable[str]) -> dict[str, tuple[list[str]]]:
        """Return namespaces by their hosts."""
        found: dict[str, tuple[list[str]]] = {}
        for name in names:
            found.setdefault(self._hosts.hosts[name], ([],))[0].append(name)
        return found

    def _together(self, found: Mapping[str, Mapping[Any, Any]]) -> dict[Any, Any]:
        """Return the answers of all hosts as one, by namespace or interface: of each what is there."""
        return {
            key: value
            for host, each in found.items()
            for key, value in each.items()
            if self._hosts.hosts.get(key if isinstance(key, str) else key.namespace) == host
        }
