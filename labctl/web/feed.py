"""What is sent to the browsers, in server-sent events: all there is to one that comes, then only what changes.

picture   the SVG, where another one is to be drawn
change    of the document (document.py, patch.py), or all of it
happened  lines for a person: what happened in the lab, each with its local time
packets   a sample of the packets that crossed, as moves along the lines of the picture, and of how many it is one
ping      the ladder of the last ping
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from typing import Any

from labctl.engine.packets.impairment import Impairment
from labctl.lab.live.watch import Moment
from labctl.live.state import LabState
from labctl.report.graph.model import Picture
from labctl.report.graph.of_topology import of_topology
from labctl.report.graph.svg import svg_without_style
from labctl.report.happenings import clock
from labctl.topology.interface_ref import InterfaceRef
from labctl.topology.model import Topology
from labctl.trace.ladder import Ladder
from labctl.web import http, moves
from labctl.web.document import document
from labctl.web.facts import KnownFacts
from labctl.web.lines import Lines
from labctl.web.patch import Document, patch
from labctl.web.picture import live
from labctl.web.ping import last_ping
from labctl.web.sample import Apart, Sample

REMEMBERED = 50
"""Lines of what happened that a new browser is told."""


class Feed:
    """What browsers know of a lab by now."""

    def __init__(self, lab: str) -> None:
        self._state = LabState(lab)
        self._topology: Topology | None = None
        self._file = self._picture = Picture(lab)  # as the file draws it, and as it is now
        self._lines = Lines.of(self._picture)
        self._document: Document = document(self._state, self._picture)
        self._happened: deque[list[str]] = deque(maxlen=REMEMBERED)
        self._sample = Sample()
        self._ping: dict[str, Any] | None = None

    def whole(self) -> bytes:
        """Return what a browser is sent that knows nothing."""
        return b"".join(
            (
                http.retry(),
                http.event("picture", svg_without_style(self._picture)) if self._topology else b"",
                http.event("whole", self._document),
                http.event("happened", list(self._happened)),
                http.event("ping", self._ping) if self._ping else b"",
            )
        )

    def news(self, moment: Moment, now: float) -> bytes:
        """Return what browsers are sent that know what was before; `now` is in seconds since the epoch."""
        before, self._state = self._state, moment.state
        return b"".join((*self._drawn(before), *self._changed(before), *self._told(moment), *self._moved(before, now)))

    def _drawn(self, before: LabState) -> Iterator[bytes]:
        state = self._state
        if state.topology is None or (state.topology is before.topology and state.impairments is before.impairments):
            return
        if state.topology is not self._topology:
            self._topology, self._file = state.topology, of_topology(state.topology)
        drawn = live(self._file, state.impairments)
        if drawn != self._picture:
            self._picture, self._lines = drawn, Lines.of(drawn)
            yield http.event("picture", svg_without_style(drawn))

    def _changed(self, before: LabState) -> Iterator[bytes]:
        if self._state is not before:
            known, self._document = self._document, document(self._state, self._picture)
            if changed := patch(known, self._document):
                yield http.event("change", changed)

    def _told(self, moment: Moment) -> Iterator[bytes]:
        if moment.events:
            lines = [[clock(at).partition(".")[0], event.kind, event.words] for at, event in moment.events]
            self._happened.extend(lines)
            yield http.event("happened", lines)

    def _moved(self, before: LabState, now: float) -> Iterator[bytes]:
        state = self._state
        left_out = max(0, state.packets_left_out - before.packets_left_out)
        last = before.packets[-1] if before.packets else None
        start = next((at + 1 for at in reversed(range(len(state.packets))) if state.packets[at] is last), 0)
        seen = state.packets[start:]
        ports = frozenset(end.port for one in state.engines.values() for end in (one.spec.bind, one.spec.peer))
        self._sample.add(seen, ports, left_out > 0)
        facts = KnownFacts(state, self._lines)
        if facts.hosts and seen:
            ends = {ref: way.to for ref, way in self._lines.cables.items()}
            self._sample.order(Apart(facts.hosts, _between(facts.hosts, ends), facts.clocks))
        over = self._sample.over(now, held_back(state), state.spaces.keys(), facts)
        if seen or left_out or over:
            yield http.event(
                "packets", {"seen": len(seen), "crossed": len(seen) + left_out, "moves": self._moves(over)}
            )
        if ping := last_ping(over, self._lines, facts):
            self._ping = ping
            yield http.event("ping", ping)

    def _moves(self, over: list[Ladder]) -> list[dict[str, object]]:
        """Return the moves of packets along the lines, each with the index of the one that it comes after."""
        found: list[dict[str, object]] = []
        places: dict[int, int] = {}  # by the number of a ladder
        for ladder in over:
            move = moves.as_json(ladder, self._lines, places.get(ladder.answer_to or 0))
            if move is not None:
                move["at"] = round((ladder.journey.first.at - over[0].journey.first.at) / 1e6)
                places[ladder.number] = len(found)
                found.append(move)
        return found


def _between(hosts: Mapping[str, str], ends: Mapping[InterfaceRef, InterfaceRef]) -> dict[InterfaceRef, InterfaceRef]:
    """Return the ends of the veths whose other end is on another host."""
    return {ref: to for ref, to in ends.items() if hosts.get(ref.namespace) != hosts.get(to.namespace)}


def held_back(state: LabState) -> float:
    """Return for how many seconds a packet is held back at most: one that passes all there is, one after the other."""
    found = (Impairment.from_text(words) for ways in state.impairments.values() for words in ways.values())
    return sum(impairment.delay + impairment.jitter for impairment in found)
