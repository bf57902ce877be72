"""The real ping and nc of the machine, run inside the namespaces.

`programs` recognises them and parses what they print. None of them is trusted to end: both ends of an nc are read until
every byte has come, and then ended.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Sequence
from typing import TypeVar

from labctl.checks import command_lines, programs
from labctl.checks.delivery import delivery
from labctl.checks.nc import holding
from labctl.checks.results import Outcome
from labctl.checks.running_program import Program, read_output, running
from labctl.checks.tcp_close import wait_until_closed
from labctl.errors import MachineError
from labctl.kernel import namespaces
from labctl.kernel.sockets import holders
from labctl.process.patience import PatienceFor
from labctl.topology.model import Check, Nc, Ping

STARTING = 10.0
"""Seconds that a program has to start."""

Words = TypeVar("Words")


class SystemTools:
    """ping(8) and whichever nc is first in PATH."""

    _ping: programs.PingWords
    _nc: programs.NcWords

    def __init__(self, patience: PatienceFor) -> None:
        self._patience = patience

    def prepare(self, checks: Sequence[Check]) -> None:
        """Raise MachineError where a program that these checks need is missing, or is not known."""
        if any(check.ping for check in checks):
            self._ping = _known("ping", "-V", programs.ping_words, "iputils-ping")
        if any(check.nc for check in checks):
            self._nc = _known("nc", "-h", programs.nc_words, "netcat-openbsd")

    def ping(self, ping: Ping) -> Outcome:
        """Run ping, and conclude from what it prints."""
        with running(ping.from_, self._ping(ping)) as program:
            waiting = self._patience(ping.count * ping.interval + ping.timeout + STARTING, program.pid)
            while not program.has_ended() and read_output([program], waiting):
                pass
            outcome = programs.ping_outcome(program.data.decode(errors="replace") + program.messages(), ping.count)
        # It goes by its own clock: on a busy machine it may have ended before what was still to come.
        patience = {"silent": ping.timeout, "differs": ping.interval}.get(outcome.state)
        waited = waiting.waited()
        if patience is not None and waited > patience:
            return Outcome("unasked", f"{outcome.words}; too early: programs waited {waited:.1f} s for a CPU")
        return outcome

    def nc(self, nc: Nc) -> Outcome:
        """Run an nc at either end, and conclude from the bytes that came."""
        server_words, client_words = self._nc(nc)
        if nc.server:
            outcome = self._with_server(nc, server_words, client_words)
        elif nc.reply:
            with running(nc.from_, client_words) as client:
                outcome = self._exchanged(nc, None, client)
        else:
            return Outcome("unasked", "nc does not say whether what it sent arrived, and no `reply` is named")
        if nc.protocol == "tcp":
            wait_until_closed((nc.from_, nc.to), nc.port, self._patience)
        return outcome

    def ping_command(self, ping: Ping) -> str:
        """Return what a person types for the same."""
        return command_lines.ping_typed(ping)

    def nc_command(self, nc: Nc) -> str:
        """Return what a person types for the same, with the nc of this machine."""
        return command_lines.nc_typed(nc, *self._nc(nc))

    def _with_server(self, nc: Nc, server_words: Sequence[str], client_words: Sequence[str]) -> Outcome:
        if taken := holding(nc):
            return Outcome("unasked", f"{nc.to} cannot listen{taken}")
        with running(nc.to, server_words) as server:
            if problem := self._until_listening(nc, server):
                return Outcome("unasked", problem)
            server.write(nc.reply or "")
            with running(nc.from_, client_words) as client:
                return self._exchanged(nc, server, client)

    def _until_listening(self, nc: Nc, server: Program) -> str:
        """Wait until the server has its socket; return what kept it from that, if anything did."""
        for _ in self._patience(STARTING, server.pid).looks():
            with namespaces.inside(nc.to):
                if holders(nc.protocol, str(nc.address), nc.port):
                    return ""
            if server.process.poll() is not None:
                while read_output([server], self._patience(0)):
                    pass
                return f"the server ended; it said: {programs.joined(server.messages())}"
        return f"the server did not listen within {STARTING:g} s"

    def _exchanged(self, nc: Nc, server: Program | None, client: Program) -> Outcome:
        """Read both ends until every byte has come, the time is over, or the client has ended."""
        ends = [client] if server is None else [client, server]
        waiting = self._patience(nc.timeout, *(end.pid for end in ends))
        sent, reply = len(nc.send.encode()), len((nc.reply or "").encode())
        client.write(nc.send)
        ended = ""
        while (server and len(server.data) < sent) or len(client.data) < reply:
            if not read_output(ends, self._patience(0) if client.has_ended() else waiting):
                by_itself = f"nc ended; it said: {programs.joined(client.messages())}"
                ended = by_itself if client.has_ended() else f"timed out after {nc.timeout:g} s"
                break
        nothing = not client.data and not (server and server.data)
        failure = programs.client_failure(client.messages()) if nothing and client.has_ended() else None
        return failure or delivery(nc, bytes(server.data) if server else None, bytes(client.data), ended)


def _known(program: str, asked: str, words_for: Callable[[str], Words | None], package: str) -> Words:
    """Return how the program of this name is called. Raise MachineError where there is none, or it is not known."""
    path = shutil.which(program)
    remedy = f"install {package} (Debian: apt-get install {package}), or leave --system-tools out"
    if path is None:
        raise MachineError(f"there is no {program} on this machine", "--system-tools runs the real ping and nc", remedy)
    printed = subprocess.run(
        [program, asked], capture_output=True, stdin=subprocess.DEVNULL, env={**os.environ, "LC_ALL": "C"}, check=False
    )
    said = (printed.stdout + printed.stderr).decode(errors="replace")
    words = words_for(said)
    if words is None:
        raise MachineError(
            f"the {program} of this machine is none that labctl knows",
            f"{program} {asked} says: {programs.introduction(said)}; {programs.KNOWN[program]}",
            remedy,
        )
    return words
