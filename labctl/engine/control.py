"""How a running engine is asked to impair differently.

A UNIX socket (SOCK_SEQPACKET) in a directory that only the lab's owner can enter. A request is one JSON object, by
direction what is to change, `{"out": {"delay": "50ms"}, "in": null}`: what is not named stays, null means no impairment
at all. The answer is what is in force then, `{"out": {...}, "in": {...}}` in the words of `impair_words`, or
`{"error": "..."}`. An empty request only asks.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Mapping
from pathlib import Path

from labctl.engine.impairment_stage import ImpairmentStage
from labctl.engine.packets.impairer import Impairment

PATIENCE = 0.2
"""Seconds that an asker has to ask; packets wait meanwhile."""

_LARGEST = 1 << 16


class Control:
    """The engine's end."""

    def __init__(self, path: Path, changes: memoryview) -> None:
        self._changes = changes  # one cell, where they are counted
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        path.unlink(missing_ok=True)
        self._listener.bind(str(path))
        path.chmod(0o600)
        self._listener.listen()
        self._listener.setblocking(False)

    def fileno(self) -> int:
        return self._listener.fileno()

    def close(self) -> None:
        self._listener.close()

    def answer(self, stages: Mapping[str, ImpairmentStage]) -> None:
        """Answer whoever asks for these stages, by direction. Nothing that is asked ends the engine."""
        try:
            connection, _ = self._listener.accept()
        except BlockingIOError:
            return
        with connection:
            connection.settimeout(PATIENCE)
            try:
                connection.send(json.dumps(self._answer(stages, connection.recv(_LARGEST))).encode())
            except OSError:
                return

    def _answer(self, stages: Mapping[str, ImpairmentStage], request: bytes) -> dict[str, object]:
        try:
            changes = json.loads(request)
            wanted = {
                name: Impairment() if change is None else stages[name].impairment.merged(change)
                for name, change in changes.items()
            }
        except (ValueError, KeyError, AttributeError, TypeError) as error:
            return {"error": str(error)}
        for name, impairment in wanted.items():
            stages[name].change(impairment)
            self._changes[0] += 1
        return {name: stage.impairment.as_dict() for name, stage in stages.items()}


def ask(path: Path, changes: Mapping[str, Mapping[str, object] | None]) -> dict[str, Impairment]:
    """Ask a running engine; gives what is in force.

    Raises ValueError for a wrong wish, OSError where nobody answers.
    """
    request = json.dumps(changes).encode()
    directory = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        # The path of a UNIX socket holds 107 bytes; by the directory's descriptor it is short.
        address = f"/proc/self/fd/{directory}/{path.name}"
        said = b""
        while not said:  # the engine has hung up: on a busy machine PATIENCE may be over before the request is sent
            said = _ask_once(address, request)
    finally:
        os.close(directory)
    answer = json.loads(said)
    if "error" in answer:
        raise ValueError(answer["error"])
    return {name: Impairment.from_dict(values) for name, values in answer.items()}


def _ask_once(address: str, request: bytes) -> bytes:
    """The answer; nothing where the engine did not read the request."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as connection:
        connection.settimeout(10)
        connection.connect(address)
        try:
            connection.send(request)
            return connection.recv(_LARGEST)
        except (BrokenPipeError, ConnectionResetError):
            return b""
