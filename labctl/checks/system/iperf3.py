"""The iperf3 of the machine at both ends, run inside the namespaces; its server says what came in each interval."""

from __future__ import annotations

import json
import time
from math import ceil
from typing import Any

from labctl.checks import command_lines, programs, rates
from labctl.checks.kinds.throughput import CONNECTING, PARTS, concluded, from_its_rate
from labctl.checks.listening import holding
from labctl.checks.rates import Interval
from labctl.checks.results import Outcome
from labctl.checks.running_program import read_output, running
from labctl.checks.system.listening import until_listening
from labctl.checks.system.recognised import STARTING, recognised
from labctl.process.patience import PatienceFor
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
        if taken := holding(asked.to, "tcp", asked.address, asked.port):
            return Outcome("unasked", f"{asked.to} cannot listen{taken}")
        every = max(asked.seconds / PARTS, _SHORTEST)
        seconds = ceil(max(asked.seconds, PARTS * every)) + _WARMING
        server_words, client_words = self._iperf3(asked.replace(seconds=seconds))
        reports = ["-J", "-i", f"{every:g}"]
        with running(asked.to, [*server_words, *reports]) as server:
            if problem := until_listening(asked, "tcp", server, self._patience):
                return Outcome("unasked", problem)
            begun, cpus = time.monotonic(), self._patience(0, server.pid)
            connecting = ["--connect-timeout", f"{CONNECTING * 1000:.0f}"]
            with running(asked.from_, [*client_words, *reports, *connecting]) as client:
                waiting = self._patience(seconds + STARTING, server.pid, client.pid)
                before = cpus.spent()
                while not client.has_ended() and read_output([client, server], waiting):
                    pass
                spent = cpus.spent()
            elapsed = time.monotonic() - begun
            used = [_since(spent[each], before[each]) for each in before if each in spent]
            if failure := _failure(bytes(client.data)):
                return failure
            while not server.has_ended() and read_output([server], waiting):
                pass
        found = programs.iperf3_intervals(server.data.decode(errors="replace"))
        if found is None:
            return Outcome("unasked", f"iperf3 says: {programs.joined(server.messages() or server.data.decode())}")
        might = rates.hindered(elapsed, used)
        intervals = [Interval(length, received, might) for length, received in found]
        return concluded(asked, from_its_rate(intervals), sum(each.received for each in intervals), None)

    def typed(self, asked: Throughput) -> str:
        """Return what a person types for the same."""
        return command_lines.iperf3_typed(asked)


def _since(now: tuple[float, float], before: tuple[float, float]) -> tuple[float, float]:
    return now[0] - before[0], now[1] - before[1]


def _failure(data: bytes) -> Outcome | None:
    """Return how the client ended that could not measure; None where it has."""
    try:
        said: Any = json.loads(data or b"{}")
    except ValueError:
        said = {}
    error = said.get("error") if isinstance(said, dict) else None
    if error is None:
        return None
    return programs.client_failure(str(error)) or Outcome("silent", f"no connection: {programs.joined(str(error))}")
