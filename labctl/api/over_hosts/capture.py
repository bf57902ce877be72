"""Capture over hosts: packets of all hosts in one order, as they come.

Hosts are asked for packets, in portions, and a host is asked for more once all of the last portion was taken. So what a
slow reader does not take stays in the kernel of each host, which counts what does not fit. Times are brought to the
clock of this machine, whose difference to that of each host is measured, and measured again while it goes on.
"""

from __future__ import annotations

import select
import time
from collections.abc import Iterator, Sequence, Set
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from heapq import merge
from math import inf

from labctl.api.over_hosts.conversation import READ_AGAIN, Conversation
from labctl.api.over_hosts.sessions import sessions
from labctl.api.work import packets as work
from labctl.hosts.record import Record
from labctl.kernel.packet_taps import Seen
from labctl.lab.capture import CaptureHere, TellLost
from labctl.lab.carriers import Carriers
from labctl.lab.look import Portion
from labctl.trace.clocks import HERE, Clocks, clocks

LOOK = 0.2
"""Seconds for which a host waits for a packet, and so by which one comes later at most than it was seen."""


@contextmanager
def capture(record: Record, typed: Sequence[str], expression: str | None) -> Iterator[CaptureOverHosts]:
    """Yield a capture as `lab.capture.capture` does, of a lab over hosts: of those that have what is typed."""
    by_host = record.by_host(typed)
    chosen = {host: by_host.get(host, ()) for host in by_host or record.hosts}
    with sessions({host: record.hosts[host] for host in chosen}) as found:
        found.reach_some()
        hosts = Conversation(found)
        try:
            works = {host: partial(work.look_at, record.lab, chosen[host], expression) for host in found.reached}
            told = hosts.begin(works, tuple[str, Carriers])
            if not told:
                found.reach_all()
            words = ", ".join(dict.fromkeys(each for each, _ in told.values()))
            yield CaptureOverHosts(record.lab, words, Carriers.joined(each for _, each in told.values()), hosts)
        finally:
            hosts.end()


class CaptureOverHosts:
    """What several hosts see (lab.capture.Capture)."""

    def __init__(self, lab: str, words: str, carriers: Carriers, hosts: Conversation) -> None:
        self.lab, self.carriers = lab, carriers
        self._hosts = hosts
        self._readings = hosts.readings()
        self._clocks, self._read = clocks(self._readings), time.monotonic()
        widest = max(self._clocks.within(HERE, host) for host in self._clocks.ahead)
        self.words = f"{words}; times are of this machine, ± {widest / 1e6:.2f} ms"
        self._missed: dict[str, int] = {}

    def packets(self, stop: int, count: int | None, seconds: float | None, tell: TellLost) -> Iterator[Seen]:
        end = time.monotonic() + seconds if seconds is not None else float("inf")
        waiting = Waiting(tuple(host for host in self._clocks.ahead if host != HERE))
        for host in self._hosts.lost.keys() - waiting.hosts:
            tell(self._hosts.lost[host])
        number, over = 0, None
        while waiting.hosts and (over is None or waiting.known_until < over):
            if over is None and (time.monotonic() >= end or select.select([stop], [], [], 0)[0]):
                over = time.time_ns()  # what was seen until now is still told
            at_once = over is not None or waiting.any
            self._look(waiting, 0 if at_once else max(0.0, min(LOOK, end - time.monotonic())))
            for host in waiting.hosts & self._hosts.lost.keys():
                waiting.lose(host)
                tell(self._hosts.lost[host])
            for seen in waiting.settled():
                yield seen
                number += 1
                if number == count:
                    return

    def _look(self, waiting: Waiting, seconds: float) -> None:
        """Ask hosts for more."""
        answers = self._hosts.each(CaptureHere.portion, dict.fromkeys(waiting.asked(), (seconds,)))
        if time.monotonic() - self._read > READ_AGAIN:
            self._readings |= self._hosts.readings()
            self._clocks, self._read = clocks(self._readings), time.monotonic()
        for host, portion in answers.items():
            self._missed[host] = portion.missed
            waiting.add(host, portion, self._clocks)

    def missed(self) -> int:
        return sum(self._missed.values())


class Waiting:
    """Packets that were not taken yet, by host, with times of this machine."""

    def __init__(self, hosts: Sequence[str]) -> None:
        self._packets: dict[str, list[Seen]] = {host: [] for host in hosts}
        self._until: dict[str, int] = dict.fromkeys(hosts, 0)

    @property
    def hosts(self) -> Set[str]:
        """Return the hosts of which more may come."""
        return self._until.keys()

    def lose(self, host: str) -> None:
        """Have no more come of a host."""
        del self._until[host]

    def asked(self) -> list[str]:
        """Return the hosts to be asked for more: of which nothing waits, and those that the others wait for."""
        behind = self.known_until
        return [host for host, until in self._until.items() if not self._packets[host] or until == behind]

    @property
    def any(self) -> bool:
        """Return whether something waits."""
        return any(self._packets.values())

    @property
    def known_until(self) -> float:
        """Return before which moment all is known that will be."""
        return min(self._until.values(), default=inf)

    def add(self, host: str, portion: Portion, known: Clocks) -> None:
        """Add what a host has told."""
        self._packets[host] += [replace(seen, at=known.here(host, seen.at)) for seen in portion.packets]
        self._until[host] = known.here(host, portion.until)

    def settled(self) -> list[Seen]:
        """Take what comes before anything that a host may still tell, in order."""
        until = self.known_until
        taken = [[seen for seen in packets if seen.at < until] for packets in self._packets.values()]
        self._packets = {
            host: [seen for seen in packets if seen.at >= until] for host, packets in self._packets.items()
        }
        return list(merge(*taken, key=lambda seen: seen.at))
