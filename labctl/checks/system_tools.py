"""The programs of the machine, such as ping and nc, in the place of labctl's own probes.

What no program of the machine does is asked with labctl's own means.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from labctl.checks.probes import Probes
from labctl.checks.results import Outcome
from labctl.checks.system.curl import SystemCurl
from labctl.checks.system.dig import SystemDig
from labctl.checks.system.iperf3 import SystemIperf3
from labctl.checks.system.nc import SystemNc
from labctl.checks.system.ping import SystemPing
from labctl.process.patience import PatienceFor
from labctl.topology.model import Check, Dns, Http, Nc, Ping, Probe, Throughput


class _Program(Protocol):
    """A program that makes the probes of one kind."""

    def ask(self, probe: Any, /) -> Outcome:
        """Run it, and conclude from what it prints."""

    def typed(self, probe: Any, /) -> str:
        """Return what a person types for the same."""


_PROGRAMS: Mapping[type[Probe], Callable[[PatienceFor], _Program]] = {
    Ping: SystemPing,
    Nc: SystemNc,
    Throughput: SystemIperf3,
    Http: SystemCurl,
    Dns: SystemDig,
}


class SystemTools:
    """The programs of the machine, as far as checks need them."""

    def __init__(self, patience: PatienceFor) -> None:
        self._patience, self._own = patience, Probes(patience)
        self._programs: dict[type[Probe], _Program] = {}

    def prepare(self, checks: Sequence[Check]) -> None:
        """Raise MachineError where a program that these checks need is missing, or is not known."""
        self.prepare_for([check.probe for check in checks])

    def prepare_for(self, probes: Sequence[Probe]) -> None:
        """Raise MachineError where a program that these probes need is missing, or is not known."""
        kinds = {type(probe) for probe in probes}
        self._programs = {kind: program(self._patience) for kind, program in _PROGRAMS.items() if kind in kinds}

    def ask(self, probe: Probe) -> Outcome:
        """Make a probe with the program for it."""
        program = self._programs.get(type(probe))
        return program.ask(probe) if program else self._own.ask(probe)

    def typed(self, probe: Probe) -> str:
        """Return what a person types for the same."""
        program = self._programs.get(type(probe))
        return program.typed(probe) if program else self._own.typed(probe)
