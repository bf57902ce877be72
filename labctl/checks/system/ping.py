"""The ping of the machine, run inside the namespace."""

from __future__ import annotations

from labctl.checks import command_lines, echoes, programs
from labctl.checks.echoes import Echoes
from labctl.checks.results import Outcome
from labctl.checks.running_program import read_output, running
from labctl.checks.system.recognised import STARTING, recognised, unless_too_early
from labctl.process.patience import PatienceFor
from labctl.topology.model import Ping

_BUSY = 0.5
"""The part of all round-trip times for which programs wait for a CPU where the machine is too busy to measure them."""


class SystemPing:
    """ping(8), whichever is first in PATH."""

    def __init__(self, patience: PatienceFor) -> None:
        """Raise MachineError where there is none, or it is not known."""
        self._patience = patience
        self._ping = recognised("ping", "-V", programs.ping_words, "iputils-ping")

    def ask(self, ping: Ping) -> Outcome:
        """Run ping, and conclude from what it prints."""
        with running(ping.from_, self._ping(ping)) as program:
            waiting = self._patience(ping.count * ping.interval + ping.timeout + STARTING, program.pid)
            while not program.has_ended() and read_output([program], waiting):
                pass
            said = program.data.decode(errors="replace") + program.messages()
            outcome = programs.ping_outcome(said, ping.count)
        waited = waiting.waited()
        if ping.loss is None:
            outcome = unless_too_early(
                outcome, {"silent": ping.timeout, "differs": ping.interval}.get(outcome.state), waited
            )
        if ping.bounded and outcome.state in ("answered", "differs"):
            return _bounded(ping, said, waited)
        return outcome

    def typed(self, ping: Ping) -> str:
        """Return what a person types for the same."""
        return command_lines.ping_typed(ping)


def _bounded(ping: Ping, said: str, waited: float) -> Outcome:
    """Return what the replies say to the bounds. It is not known which of them were late for what programs waited."""
    received, times = programs.ping_received(said), programs.ping_times(said)
    if ping.rtt is None:
        times = [0.0] * received  # of small packets it does not show the times
    elif len(times) != received:
        return Outcome("unasked", f"{received} replies, and ping shows the times of {len(times)}")
    outcome = echoes.outcome(ping, Echoes(ping.count, [(each, each) for each in times]))
    if ping.rtt is not None and waited > _BUSY * sum(times):
        words = f"not decided: {outcome.words}; the machine was too busy: programs waited {waited:.1f} s for a CPU"
        return Outcome("undecided", words, outcome.carried)
    return outcome
