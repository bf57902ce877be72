"""Trace: what became of each packet of a command or of a check, as taps on every namespace of the lab saw it.

Taps are open only while it runs. Afterwards the kernel is asked by which route a packet went (trace_facts.py).
"""

from __future__ import annotations

import os
import select
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from labctl.errors import KernelRefused, UsageError, kernel_words
from labctl.kernel import connection_filter, namespaces, sockets
from labctl.kernel.packet_taps import PacketTaps, Seen
from labctl.lab.capture import described, tunnel_ports
from labctl.lab.challenge import Challenge, challenge_in
from labctl.lab.engines.stats import Drops
from labctl.lab.execute import execute, record
from labctl.lab.names import meant, names, namespaces_of, resolve
from labctl.lab.state import State, applied, existing
from labctl.topology.interface_ref import InterfaceRef
from labctl.trace.ladder import Hop, Ladder

if TYPE_CHECKING:
    from labctl.checks.results import Result, Tools
    from labctl.diagnosis.verdict import Verdict
    from labctl.process.patience import PatienceFor
    from labctl.trace.sightings import Journey

MOST_BYTES = 64 << 20  # of frames that are kept
MOST_PACKETS = 1000  # that are followed
READS = 60.0  # seconds between two looks where nothing comes
BRIEFLY, TIMES = 1.0, 3  # seconds, and requests, of a check that sends very many
QUIET, SETTLE = 0.05, 0.5  # seconds without a packet after which it is over, and for which that is waited for


@dataclass(frozen=True)
class Traced:
    """The ladders of the packets of a command or a check, and what is not among them."""

    lab: str
    what: tuple[str, ...]  # the command, or the name of the check
    exit_code: int
    ladders: tuple[Ladder, ...]
    diagnosis: tuple[Verdict, ...]  # why packets were lost, as far as that is known
    seen: tuple[Seen, ...]  # all frames, also those of other packets
    tunnel_ports: frozenset[int]
    describe: Callable[[InterfaceRef], str]  # returns what is to be known of an interface beside its name
    others: int  # packets of the lab that do not concern it
    unfollowed: int  # packets of its own that were too many
    older: int  # TCP connections that were there before, and were left out
    missed: int  # frames that were not kept
    challenge: Challenge | None = None  # while one runs it is told where packets end, and not why


def trace_command(lab: str, namespace: str, command: Sequence[str], to_stderr: bool, stop: int) -> Traced:
    """Run a command in a namespace of a lab and follow its packets, until it ends.

    It is asked to end once the descriptor `stop` is readable. What it prints goes to standard output, or to standard
    error. Raise UsageError if there is no such namespace or
    command, KernelRefused where packets cannot be seen.
    """
    state = existing(lab)
    name = resolve(lab, namespace, namespaces_of(lab), "no namespace named")
    record(lab, name, shlex.join(command))
    with _watching(state) as watch:
        code = execute(
            lab, name, command, partial(watch.until_it_ends, stop), sys.stderr.fileno() if to_stderr else None
        )
        watch.settle()
    from labctl.trace.selection import of_command

    found = watch.traced(tuple(command), {name}, code, of_command)
    if any(ladder.end in (Hop.LOST, Hop.DROPPED) for ladder in found.ladders):
        from labctl.lab.trace_causes import causes

        return replace(found, diagnosis=causes(state, name, found.ladders))
    return found


def trace_check(
    lab: str, check: str, tools: Callable[[PatienceFor], Tools], show: Callable[[Result], object]
) -> Traced:
    """Run a check of a lab, without those that it needs, and follow its packets.

    Raise as `verify` does, KernelRefused where packets cannot be seen.
    """
    from labctl.checks.kinds import kind_of
    from labctl.lab.verify import chosen, verify_all
    from labctl.plan.desired import desired
    from labctl.trace.selection import of_check

    state = existing(lab)
    if meant(lab, check, namespaces_of(lab)) and not meant(lab, check, names(lab).checks):
        hint = f"labctl trace {check} -- ping -c 1 ADDRESS"
        raise UsageError(f"{check} is a namespace of lab {lab}, and no check", "a command is missing", hint)
    wanted = desired(applied(state))
    asked = chosen(lab, wanted.topology.checks, [check])[-1].replace(needs=())
    kind = kind_of(asked.probe)
    if (target := kind.target()) and target.measured:  # a few of so many packets show the same
        asked = asked.asking(kind.briefly(BRIEFLY, TIMES))
    with _watching(state) as watch:
        verified = verify_all(state, wanted, [asked], tools, show)
        watch.settle()
    code = int(not verified.results[0].passed)
    found = watch.traced((asked.name,), set(asked.probe.namespaces.values()), code, of_check)
    return replace(found, diagnosis=verified.diagnosis)


@contextmanager
def _watching(state: State) -> Iterator[_Watch]:
    recorded = state.read()
    older = {(min(ports), max(ports)) for name in recorded.namespaces for ports in _connections(name)}
    program = connection_filter.without(older, tunnel_ports(recorded)) if older else b""
    try:
        taps = PacketTaps(recorded.namespaces, program=program)
    except OSError as error:
        raise KernelRefused(f"the packets of {state.lab} cannot be seen", kernel_words(error)) from error
    with taps:
        yield _Watch(state, taps, frozenset(older))


def _connections(name: str) -> set[tuple[int, int]]:
    with namespaces.inside(name):
        return sockets.connections()


class _Watch:
    """What the taps on the namespaces of a lab have seen so far."""

    def __init__(self, state: State, taps: PacketTaps, older: frozenset[tuple[int, int]]) -> None:
        self._state, self._taps, self._older = state, taps, older
        self._drops = Drops(state)
        self._seen: list[Seen] = []
        self._bytes = self._missed = 0

    def until_it_ends(self, stop: int, process: subprocess.Popen[bytes]) -> int:
        """Read packets until a process has ended, which is asked to end once the descriptor `stop` is readable.

        Return its exit code as Popen has it.
        """
        ended = os.pidfd_open(process.pid)
        try:
            with select.epoll() as either:
                for descriptor in (ended, stop):
                    either.register(descriptor, select.EPOLLIN)
                while ended not in dict(either.poll(0)):
                    if self._taps.wait(READS, either.fileno()) and stop in dict(either.poll(0)):
                        process.terminate()
                        either.unregister(stop)
                    self._keep(self._taps.some())
        finally:
            os.close(ended)
        return process.wait()

    def settle(self) -> None:
        """Read on until no packet is under way any more, as far as that comes within a moment, and then no more."""
        end = time.monotonic() + SETTLE
        more = self._taps.crossed()
        while more and time.monotonic() < end:
            self._keep(more)
            self._taps.wait(QUIET)
            more = self._taps.crossed()
        self._keep(more)
        self._missed += self._taps.missed()

    def _keep(self, packets: Iterable[Seen]) -> None:
        for seen in packets:
            self._bytes += len(seen.frame)
            if self._bytes > MOST_BYTES:
                self._missed += 1
            else:
                self._seen.append(seen)

    def traced(
        self,
        what: tuple[str, ...],
        namespaces: Collection[str],
        exit_code: int,
        own: Callable[[Sequence[Journey]], list[Journey]],
    ) -> Traced:
        """Return the ladders of the packets that concern some namespaces, and are its `own`."""
        from labctl.lab.trace_facts import LabFacts, NoReasons
        from labctl.trace.journeys import journeys
        from labctl.trace.ladder import ladders, uncertain
        from labctl.trace.selection import concerning, without
        from labctl.trace.sightings import sightings

        seen = sorted(self._seen, key=lambda each: each.at)
        recorded = self._state.read()
        ports = tunnel_ports(recorded)
        everything = without(journeys(sightings(seen, ports)), self._older)
        found = own(concerning(everything, namespaces))
        hidden = challenge_in(self._state)
        knows = LabFacts if hidden is None else NoReasons
        followed = ladders(found[:MOST_PACKETS], knows(self._state, self._drops))
        if self._missed:
            followed = uncertain(followed)
        return Traced(
            self._state.lab,
            what,
            exit_code,
            tuple(followed),
            (),
            tuple(seen),
            ports,
            partial(described, recorded=recorded),
            len(everything) - len(found),
            len(found) - len(followed),
            len(self._older),
            self._missed,
            hidden,
        )
