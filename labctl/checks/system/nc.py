"""The nc of the machine at both ends, run inside the namespaces.

It is not trusted to end: both ends are read until every byte has come, and then ended.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from labctl.checks import command_lines, programs
from labctl.checks.delivery import delivery
from labctl.checks.kinds.nc import taken
from labctl.checks.kinds.nc_apart import LONGER, Half
from labctl.checks.refusal import has_way
from labctl.checks.results import Outcome
from labctl.checks.running_program import Program, read_output, running
from labctl.checks.system.listening import until_listening
from labctl.checks.system.recognised import recognised
from labctl.checks.tcp_close import wait_until_closed
from labctl.process.patience import PatienceFor
from labctl.topology.model import Nc


class SystemNc:
    """nc, whichever is first in PATH."""

    def __init__(self, patience: PatienceFor) -> None:
        """Raise MachineError where there is none, or it is not known."""
        self._patience = patience
        self._nc = recognised("nc", "-h", programs.nc_words, "netcat-openbsd")

    def ask(self, nc: Nc) -> Outcome:
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

    def typed(self, nc: Nc) -> str:
        """Return what a person types for the same, with the nc of this machine."""
        return command_lines.nc_typed(nc, *self._nc(nc))

    def _with_server(self, nc: Nc, server_words: Sequence[str], client_words: Sequence[str]) -> Outcome:
        if problem := taken(nc):
            return Outcome("unasked", f"{nc.to} cannot listen{problem}")
        with running(nc.to, server_words) as server:
            if problem := until_listening(nc, nc.protocol, server, self._patience):
                return Outcome("unasked", problem)
            server.write(nc.reply or "")
            with running(nc.from_, client_words) as client:
                return self._exchanged(nc, server, client)

    def serve(
        self, nc: Nc, ready: Callable[[], object], begun: Callable[[], object], done: Callable[[], object]
    ) -> Half:
        """Run the server of a check whose client is on another host; `begun` and `done` wait until that is so."""
        server_words, _ = self._nc(nc)
        if problem := taken(nc):
            return Half(outcome=Outcome("unasked", f"{nc.to} cannot listen{problem}"))
        with running(nc.to, server_words) as server:
            if problem := until_listening(nc, nc.protocol, server, self._patience):
                return Half(outcome=Outcome("unasked", problem))
            server.write(nc.reply or "")
            ready()
            begun()
            waiting, sent = self._patience(nc.timeout + LONGER, server.pid), len(nc.send.encode())
            while len(server.data) < sent and not server.has_ended() and read_output([server], waiting):
                pass
            done()
            received = bytes(server.data)
        if nc.protocol == "tcp":
            wait_until_closed((nc.to,), nc.port, self._patience)
        return Half(received)

    def call(self, nc: Nc, begun: Callable[[], object]) -> Half:
        """Run the client of a check whose server is on another host, and call `begun` once it has its data.

        nc does not say whether what it sent arrived, so without a reply it is given the whole time for that.
        """
        _, client_words = self._nc(nc)
        reply = len((nc.reply or "").encode())
        with running(nc.from_, client_words) as client:
            waiting = self._patience(nc.timeout, client.pid)
            client.write(nc.send)
            begun()
            while (not reply or len(client.data) < reply) and not client.has_ended() and read_output([client], waiting):
                pass
            received, said, by_itself = bytes(client.data), client.messages(), client.has_ended()
        if nc.protocol == "tcp":
            wait_until_closed((nc.from_,), nc.port, self._patience)
        if by_itself and not received and (failure := self._failure(nc, said)) and (reply or said):
            return Half(outcome=failure)
        missing = len(received) < reply
        ended = f"nc ended; it said: {programs.joined(said)}" if by_itself else f"timed out after {nc.timeout:g} s"
        return Half(received, ended if missing else "")

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
        failure = self._failure(nc, client.messages()) if nothing and client.has_ended() else None
        return failure or delivery(nc, bytes(server.data) if server else None, bytes(client.data), ended)

    @staticmethod
    def _failure(nc: Nc, said: str) -> Outcome | None:
        return programs.client_failure(said, has_way(nc.from_, nc.address))
