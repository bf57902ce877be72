"""A server that is a program of the machine, waited for until it has its socket."""

from __future__ import annotations

from labctl.checks import programs
from labctl.checks.running_program import Program, read_output
from labctl.checks.system.recognised import STARTING
from labctl.kernel import namespaces
from labctl.kernel.sockets import holders
from labctl.process.patience import PatienceFor
from labctl.topology.model import Nc, Throughput


def until_listening(asked: Nc | Throughput, protocol: str, server: Program, patience: PatienceFor) -> str:
    """Wait until the server of a check has its socket; return what kept it from that, if anything did."""
    for _ in patience(STARTING, server.pid).looks():
        with namespaces.inside(asked.to):
            if holders(protocol, str(asked.address), asked.port):
                return ""
        if server.process.poll() is not None:
            while read_output([server], patience(0)):
                pass
            return f"the server ended; it said: {programs.joined(server.messages())}"
    return f"the server did not listen within {STARTING:g} s"
