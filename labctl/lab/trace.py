"""Trace: what became of each packet of a command or of a check, as taps on every namespace of the lab saw it.

Taps are open only while it runs. Afterwards the kernel is asked by which route a packet went (trace_facts.py).
"""

from __future__ import annotations

import select
import shlex
import sys
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from labctl.errors import KernelRefused, UsageError, kernel_words
from labctl.kernel import flow_filter, namespaces, sockets
from labctl.kernel.packet_taps import PacketTaps, Seen
from labctl.lab.carriers import Carriers
from labctl.lab.challenge import challenge_in
from labctl.lab.engines.stats import Drops
from labctl.lab.execute import execute, record
from labctl.lab.held_back import holds_back
from labctl.lab.names import meant, names, namespaces_of, resolve
from labctl.lab.state import State, applied, existing
from labctl.lab.traced import MOST_BYTES, Meant, Traced
from labctl.process.waiting import until_it_ends

if TYPE_CHECKING:
    from labctl.checks.results import Result, Tools
    from labctl.process.patience import PatienceFor
    from labctl.topology.model import Check

READS = 60.0  # seconds between two looks where nothing comes
BRIEFLY, TIMES = 1.0, 3  # seconds, and requests, of a check that sends very many
QUIET, SETTLE = 0.05, 0.5  # seconds without a packet after which it is over, and for which that is waited for
LONGEST = 2.0  # seconds for which is waited for what an impairment holds back


def settled(began: float, more: bool, held_back: bool) -> bool:
    """Return whether a trace is over that began to settle then, by whether `more` comes and some is `held_back`."""
    passed = time.monotonic() - began
    return not (more and passed < SETTLE) and not (held_back and passed < LONGEST)


def trace_command(lab: str, namespace: str, command: Sequence[str], to_stderr: bool, stop: int) -> Traced:
    """Run a command in a namespace of a lab and follow its packets, until it ends.

    It is sent the signals that are heard at the descriptor `stop`. What it prints goes to standard output, or to
    standard error. Raise UsageError if there is no such namespace or command, KernelRefused where packets cannot be
    seen.
    """
    state = existing(lab)
    name = resolve(lab, namespace, namespaces_of(lab), "no namespace named")
    record(lab, name, shlex.join(command))
    with _watching(state) as watch:
        wait = partial(until_it_ends, signals=stop, ready=watch.readable)
        code = execute(lab, name, command, wait, sys.stderr.fileno() if to_stderr else None)
        watch.settle()
    from labctl.trace.selection import of_command

    found = watch.traced(Meant(tuple(command), {name}, of_command), code)
    if found.has_losses:
        from labctl.checks.probes import Probes
        from labctl.lab.trace_causes import causes
        from labctl.lab.verify import explained

        explain = partial(explained, state, tools=Probes)
        return replace(found, diagnosis=causes(state.topology(), name, found.ladders, explain))
    return found


def trace_check(
    lab: str, check: str, tools: Callable[[PatienceFor], Tools], show: Callable[[Result], object]
) -> Traced:
    """Run a check of a lab, without those that it needs, and follow its packets.

    Raise as `verify` does, KernelRefused where packets cannot be seen.
    """
    from labctl.lab.verify import verify_all
    from labctl.plan.desired import desired
    from labctl.trace.selection import of_check

    state = existing(lab)
    if meant(lab, check, namespaces_of(lab)) and not meant(lab, check, names(lab).checks):
        hint = f"labctl trace {check} -- ping -c 1 ADDRESS"
        raise UsageError(f"{check} is a namespace of lab {lab}, and no check", "a command is missing", hint)
    wanted = desired(applied(state))
    asked = alone(lab, wanted.topology.checks, check)
    with _watching(state) as watch:
        verified = verify_all(state, wanted, [asked], tools, show)
        watch.settle()
    code = int(not verified.results[0].passed)
    found = watch.traced(Meant((asked.name,), set(asked.probe.namespaces.values()), of_check), code)
    return replace(found, diagnosis=verified.diagnosis)


def alone(lab: str, checks: Sequence[Check], name: str) -> Check:
    """Return a check as it is traced: without those that it needs, and with a few packets where it measures many.

    Raise UsageError for a check that does not exist.
    """
    from labctl.checks.kinds import kind_of
    from labctl.lab.verify import chosen

    asked = chosen(lab, checks, [name])[-1].replace(needs=())
    kind = kind_of(asked.probe)
    target = kind.target()
    return asked.asking(kind.briefly(BRIEFLY, TIMES)) if target and target.measured else asked


@contextmanager
def _watching(state: State) -> Iterator[_Watch]:
    older = connections(state)
    with tapped(state, older) as taps:
        yield _Watch(state, taps, older)


def connections(state: State) -> frozenset[tuple[int, int]]:
    """Return the ports of the TCP connections that are there in the namespaces of a lab, the lower first."""
    return frozenset((min(ports), max(ports)) for name in state.read().namespaces for ports in _connections(name))


def _connections(name: str) -> set[tuple[int, int]]:
    with namespaces.inside(name):
        return sockets.connections()


def tapped(state: State, older: Collection[tuple[int, int]]) -> PacketTaps:
    """Return taps on the namespaces of a lab, without connections between these ports. Raise KernelRefused."""
    recorded = state.read()
    program = flow_filter.without(older, Carriers.of(recorded).tunnel_ports) if older else b""
    try:
        return PacketTaps(recorded.namespaces, program=program)
    except OSError as error:
        raise KernelRefused(f"the packets of {state.lab} cannot be seen", kernel_words(error)) from error


class _Watch:
    """What the taps on the namespaces of a lab have seen so far."""

    def __init__(self, state: State, taps: PacketTaps, older: frozenset[tuple[int, int]]) -> None:
        self._state, self._taps, self._older = state, taps, older
        self._drops, self._recorded = Drops(state), state.read()
        self._seen: list[Seen] = []
        self._bytes = self._missed = 0
        self._held_back = False

    def readable(self, descriptors: Sequence[int]) -> Sequence[int]:
        """Read packets until one of these descriptors is readable. Return those that are."""
        with select.epoll() as any_of_them:
            for descriptor in descriptors:
                any_of_them.register(descriptor, select.EPOLLIN)
            while not (ready := any_of_them.poll(0)):
                self._taps.wait(READS, any_of_them.fileno())
                self._keep(self._taps.some())
            return list(dict(ready))

    def settle(self) -> None:
        """Read on until no packet is under way any more, as far as that comes in time, and then no more."""
        began, more = time.monotonic(), True
        while not settled(began, more, self._held_back):
            self._held_back = holds_back(self._state, self._recorded)  # before: what is let go then is seen below
            self._taps.wait(QUIET)
            found = self._taps.crossed()
            self._keep(found)
            more = bool(found)
        self._missed += self._taps.missed()

    def _keep(self, packets: Iterable[Seen]) -> None:
        for seen in packets:
            self._bytes += len(seen.frame)
            if self._bytes > MOST_BYTES:
                self._missed += 1
            else:
                self._seen.append(seen)

    def traced(self, meant: Meant, exit_code: int) -> Traced:
        """Return the ladders of the packets that are meant."""
        from labctl.lab.trace_facts import LabFacts, NoReasons
        from labctl.lab.traced import Gathered, followed
        from labctl.trace.sightings import sightings

        carriers = Carriers.of(self._recorded)
        seen = sorted(self._seen, key=lambda each: each.at)
        hidden = challenge_in(self._state)
        facts = LabFacts(self._state, self._drops) if hidden is None else NoReasons(self._state, self._drops)
        found = sightings(seen, carriers.tunnel_ports)
        gathered = Gathered(found, carriers, self._older, self._missed, self._held_back)
        return replace(followed(self._state.lab, meant, exit_code, gathered, facts), challenge=hidden)
