"""The iperf3 of the machine at both ends, run inside the namespaces; its server says what came in each interval."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from math import ceil
from typing import Any

from labctl.checks import command_lines, programs, rates
from labctl.checks.kinds.throughput import CONNECTING, PARTS, from_its_rate
from labctl.checks.kinds.throughput_apart import Received, Sent, met
from labctl.checks.listening import holding
from labctl.checks.rates import Interval
from labctl.checks.refusal import has_way
from labctl.checks.results import Outcome
from labctl.checks.running_program import read_output, running
from labctl.checks.system.listening import until_listening
from labctl.checks.system.recognised import STARTING, recognised
from labctl.process.patience import Patience, PatienceFor
from labctl.topology.model import Throughput

_SHORTEST = 0.1  # seconds between two reports of iperf3, at least
_WARMING = 1  # seconds more than are measured


class SystemIperf3:
    """iperf3, whichever is first in PATH."""

    def __init__(self, patience: PatienceFor) -> None:
        """Raise MachineError where there is none, or it is not known."""
        self._patience = patience
        self._iperf3 = recognised("iperf3", "--version", programs.iperf3_words, "iperf3")

    def ask(self, asked: Throughput) -> Outcome:
        """Run an iperf3 at either end, and conclude from what the server counted."""
        sent: list[Sent] = []

        def ready() -> None:
            sent.append(self.call(asked, lambda: None))

        received = self.serve(asked, ready, lambda: bool(sent[0].outcome))
        return met(asked, received, sent[0] if sent else Sent())

    def serve(self, asked: Throughput, ready: Callable[[], object], ended: Callable[[], object]) -> Received:
        """Run the server: call `ready` once it listens, and take its report unless `ended` says that nothing came.

        `ended` returns once the client has begun, or later.
        """
        if taken := holding(asked.to, "tcp", asked.address, asked.port):
            return Received(outcome=Outcome("unasked", f"{asked.to} cannot listen{taken}"))
        words, _ = self._words(asked)
        with running(asked.to, words) as server:
            if problem := until_listening(asked, "tcp", server, self._patience):
                return Received(outcome=Outcome("unasked", problem))
            counted = _Counted(self._patience(0, server.pid))
            ready()
            if ended():
                return Received()
            waiting = self._patience(self._seconds(asked) + STARTING, server.pid)
            while not server.has_ended() and read_output([server], waiting):
                pass
            might = counted.might()
        found = programs.iperf3_intervals(server.data.decode(errors="replace"))
        if found is None:
            said = programs.joined(server.messages() or server.data.decode(errors="replace"))
            return Received(outcome=Outcome("unasked", f"iperf3 says: {said}"))
        intervals = [Interval(length, received, might) for length, received in found]
        return Received(sum(each.received for each in intervals), tuple(from_its_rate(intervals)))

    def call(self, asked: Throughput, begun: Callable[[], object]) -> Sent:
        """Run the client to its end; call `begun` once it runs."""
        _, words = self._words(asked)
        connecting = ["--connect-timeout", f"{CONNECTING * 1000:.0f}"]
        with running(asked.from_, [*words, *connecting]) as client:
            begun()
            waiting = self._patience(self._seconds(asked) + STARTING, client.pid)
            counted = _Counted(waiting)
            while not client.has_ended() and read_output([client], waiting):
                pass
            return Sent(None, counted.might(), _failure(asked, bytes(client.data)))

    def typed(self, asked: Throughput) -> str:
        """Return what a person types for the same."""
        return command_lines.iperf3_typed(asked)

    def _words(self, asked: Throughput) -> tuple[list[str], list[str]]:
        """Return the command lines of server and client."""
        reports = ["-J", "-i", f"{_every(asked):g}"]
        server, client = self._iperf3(asked.replace(seconds=self._seconds(asked)))
        return [*server, *reports], [*client, *reports]

    def _seconds(self, asked: Throughput) -> int:
        """Return for how long data is sent."""
        return ceil(max(asked.seconds, PARTS * _every(asked))) + _WARMING


def _every(asked: Throughput) -> float:
    """Return the seconds of an interval."""
    return max(asked.seconds / PARTS, _SHORTEST)


class _Counted:
    """What the processes of a Patience have spent on CPUs, and waiting for them, since this was made."""

    def __init__(self, patience: Patience) -> None:
        self._patience, self._before, self._began = patience, patience.spent(), time.monotonic()

    def might(self) -> float:
        """Return how many times as much they might have carried on an idle machine."""
        return rates.hindered(time.monotonic() - self._began, rates.since(self._before, self._patience.spent()))


def _failure(asked: Throughput, data: bytes) -> Outcome | None:
    """Return how the client ended that could not measure; None where it has."""
    try:
        said: Any = json.loads(data or b"{}")
    except ValueError:
        said = {}
    error = said.get("error") if isinstance(said, dict) else None
    if error is None:
        return None
    failure = programs.client_failure(str(error), has_way(asked.from_, asked.address))
    return failure or Outcome("silent", f"no connection: {programs.joined(str(error))}")
