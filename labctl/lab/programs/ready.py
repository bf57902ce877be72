"""How it is seen from outside that a program is ready: by a port, by a line of its log, by a command that succeeds."""

from __future__ import annotations

import re
import shlex
import time
from dataclasses import replace
from typing import Protocol

from labctl.kernel import namespaces, programs, sockets
from labctl.lab.engines.logs import Tail
from labctl.lab.programs.attempt import Attempt
from labctl.lab.programs.task import ProgramTask
from labctl.plan.program_spec import Readiness
from labctl.process.processes import Process, descendants

AGAIN = 0.1
"""Seconds between two starts of a command."""


class Sign(Protocol):
    """A sign that a program is ready."""

    def lacking(self) -> str:
        """Return what is not seen yet, as it is told of the program; empty once it is ready."""

    def close(self) -> None:
        """Look for it no more."""


def sign_of(ready: Readiness, task: ProgramTask, process: Process, since: str) -> Sign:
    """Return the sign of a program that its supervisor has started at a time, as logs have it."""
    match ready.sign:
        case "tcp" | "udp" as protocol:
            return _Port(protocol, int(ready.what), task, process)
        case "log":
            return _Line(ready.what, task, since)
        case "command":
            return _Command(ready.what, task)


class _Port:
    def __init__(self, protocol: str, port: int, task: ProgramTask, process: Process) -> None:
        self._protocol = protocol
        self._port = port
        self._namespace = task.namespace.name
        self._process = process
        self._inodes: frozenset[int] = frozenset()
        self._told = ""

    def lacking(self) -> str:
        asked = f"{'listened on' if self._protocol == 'tcp' else 'bound'} {self._protocol.upper()} port {self._port}"
        with namespaces.inside(self._namespace):
            inodes = sockets.receivers(self._protocol, self._port)
        if not inodes:
            return f"it has not {asked}"
        if inodes != self._inodes:  # whose they are takes a look at every process
            self._inodes, self._told = inodes, self._of_another(inodes, asked)
        return self._told

    def _of_another(self, inodes: frozenset[int], asked: str) -> str:
        """Return which process has the port in place of the program; empty where it is the program's."""
        holders = [each for having in programs.with_sockets(inodes).values() for each in having]
        own = {self._process.pid, *descendants(self._process.pid)}
        if not holders or any(each.pid in own for each in holders):  # not every process can be looked at
            return ""
        return f"it has not {asked}: process {holders[0].pid} ({holders[0].name}) has"

    def close(self) -> None:
        pass


class _Line:
    def __init__(self, pattern: str, task: ProgramTask, since: str) -> None:
        self._pattern = re.compile(pattern)
        self._log = Tail("", task.log)
        self._since = since
        self._seen = False

    def lacking(self) -> str:
        lines = [line.text for line in self._log.more() if line.time >= self._since]
        self._seen = self._seen or any(map(self._pattern.search, lines))
        return "" if self._seen else f"it has not written a line in which {self._pattern.pattern!r} is found"

    def close(self) -> None:
        pass


class _Command:
    def __init__(self, command: str, task: ProgramTask) -> None:
        self._command = command
        self._launch = replace(task.launch, words=tuple(shlex.split(command)))
        self._namespace = task.namespace
        self._attempt: Attempt | None = None
        self._last = "has not ended yet"
        self._next = 0.0  # when it may be run again

    def lacking(self) -> str:
        if self._attempt is None and time.monotonic() >= self._next:
            self._attempt = Attempt(self._launch, self._namespace)
            self._next = time.monotonic() + AGAIN
        ended = self._attempt.ended() if self._attempt else None
        if ended is not None:
            self.close()
            if ended.succeeded:
                return ""
            self._last = ended.words
        return f"its `ready` command {self._command!r} {self._last}"

    def close(self) -> None:
        if self._attempt is not None:
            self._attempt.close()
            self._attempt = None
