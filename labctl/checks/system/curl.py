"""The curl of the machine, run inside the namespace."""

from __future__ import annotations

import os
import re

from labctl.checks import programs
from labctl.checks.http_get import Response
from labctl.checks.kinds.http import HttpKind, concluded, curl
from labctl.checks.refusal import refused_at_once
from labctl.checks.results import Outcome
from labctl.checks.running_program import read_output, running
from labctl.checks.system.recognised import STARTING, recognised, unless_too_early
from labctl.checks.tcp_close import wait_until_closed
from labctl.process.patience import PatienceFor
from labctl.topology.model import Http

_TOLD = "labctl %{http_code} %{local_port} %{redirect_url}"
_FOUND = re.compile(r"^labctl (\d+) (-?\d+) (\S*)$", re.MULTILINE)
_AT_ONCE = re.compile(r"Immediate connect fail for \S+: (.+)$", re.MULTILINE)
_FAILED = re.compile(r"^curl: \((\d+)\) (.+)$", re.MULTILINE)
_TIMED_OUT, _NO_ANSWER = 28, (7, 28, 56)
"""Exit codes of curl(1): it could not connect, the time was over, receiving failed.

A server that has taken the connection and closes it without an answer (52) is not silent.
"""


class SystemCurl:
    """curl(1), whichever is first in PATH."""

    def __init__(self, patience: PatienceFor) -> None:
        """Raise MachineError where there is none, or it is not known."""
        self._patience = patience
        recognised("curl", "--version", known, "curl")

    def ask(self, asked: Http) -> Outcome:
        """Run curl, and conclude from what it prints."""
        # -q: what stands in ~/.curlrc is for a person. A proxy of the environment is for another network.
        words = curl(asked, "-q", "-sS", "-v", "--noproxy", "*", "-w", f"%{{stderr}}\n{_TOLD}\n")
        with running(asked.from_, words) as program:
            waiting = self._patience(asked.timeout + STARTING, program.pid)
            while not program.has_ended() and read_output([program], waiting):
                pass
            said = program.messages()
        if told := _FOUND.search(said):
            wait_until_closed((asked.from_,), int(told[2]), self._patience)
        found = outcome(asked, bytes(program.data), said)
        return unless_too_early(found, asked.timeout if found.state == "silent" else None, waiting.waited())

    def typed(self, asked: Http) -> str:
        """Return what a person types for the same."""
        return HttpKind(asked).typed()


def known(said: str) -> str | None:
    """Return the version of a curl that says this of itself; None where it is not known, or too old for `-w`."""
    found = re.match(r"curl (\d+)\.(\d+)", said)
    return found[0] if found and (int(found[1]), int(found[2])) >= (7, 63) else None


def outcome(asked: Http, body: bytes, said: str) -> Outcome:
    """Return what came of a request of which curl says this."""
    told, failed = _FOUND.search(said), _FAILED.search(said)
    status, location = (int(told[1]), told[3]) if told else (0, "")
    code, words = (int(failed[1]), failed[2].strip()) if failed else (0, "")
    if told and status:
        return concluded(asked, Response(status, "", location, body, words), asked.url)
    if refusal := _AT_ONCE.search(said):
        number = next((each for each in programs.REFUSALS if os.strerror(each) == refusal[1].strip()), 0)
        return refused_at_once(OSError(number, refusal[1])) if number else Outcome("unasked", f"curl: {refusal[1]}")
    if code in _NO_ANSWER:
        why = f"timed out after {asked.timeout:g} s" if code == _TIMED_OUT else words
        return Outcome("silent", f"nothing came back: {why}")
    return Outcome("differs", words) if failed else Outcome("unasked", f"curl says: {programs.joined(said)}")
