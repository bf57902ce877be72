"""The control socket of a running engine, by which it is told what changes while it runs.

A UNIX socket (SOCK_SEQPACKET) in a directory that only the lab's owner can enter. A request is one JSON object and so
is the answer, `{"error": "..."}` where the request is refused.

Of an endpoint the impairments are changed and shown. A request is by direction what is to change, as in
`{"out": {"delay": "50ms"}, "in": null}`: what is not named stays, null means no impairment at all. The answer is what
is in force then, `{"out": {...}, "in": {...}}` as `Impairment.as_dict` has them, and an empty request only asks.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labctl.engine.packets.impairment import Impairment

if TYPE_CHECKING:
    from labctl.engine.impairment_stage import ImpairmentStage

PATIENCE = 0.2
"""Seconds in which a client has to send its request; packets wait meanwhile."""

_LARGEST = 1 << 16


class Control:
    """The listening socket of the engine. May raise OSError."""

    def __init__(self, path: Path) -> None:
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        path.unlink(missing_ok=True)
        self._listener.bind(str(path))
        path.chmod(0o600)
        self._listener.listen()
        self._listener.setblocking(False)

    def fileno(self) -> int:
        """Return the descriptor that is readable while a client waits."""
        return self._listener.fileno()

    def close(self) -> None:
        """Stop listening."""
        self._listener.close()

    def answer(self, handle: Callable[[Any], Mapping[str, object]]) -> None:
        """Serve one client: `handle` its request, and send what that returns. No request raises."""
        try:
            connection, _ = self._listener.accept()
        except BlockingIOError:
            return
        with connection:
            connection.settimeout(PATIENCE)
            try:
                connection.send(json.dumps(_answer(handle, connection.recv(_LARGEST))).encode())
            except OSError:
                return


def _answer(handle: Callable[[Any], Mapping[str, object]], request: bytes) -> Mapping[str, object]:
    try:
        return handle(json.loads(request))
    except (ValueError, KeyError, AttributeError, TypeError, OSError) as error:
        return {"error": str(error)}


def change(stages: Mapping[str, ImpairmentStage], counted: memoryview, changes: Any) -> dict[str, object]:
    """Change impairments, by direction, and count that in one cell. Return those in force. Raise ValueError and others.

    Nothing is changed unless all can be.
    """
    wanted = {
        name: Impairment() if change is None else stages[name].impairment.merged(change)
        for name, change in changes.items()
    }
    for name, impairment in wanted.items():
        stages[name].change(impairment)
        counted[0] += 1
    return {name: stage.impairment.as_dict() for name, stage in stages.items()}


def ask(path: Path, changes: Mapping[str, Mapping[str, object] | None]) -> dict[str, Impairment]:
    """Ask the engine that listens at `path` for changes, by direction; return the impairments then in force.

    Raise ValueError if it refuses them, OSError if it does not answer.
    """
    return {name: Impairment.from_dict(values) for name, values in request(path, changes).items()}


def request(path: Path, asked: Mapping[str, object]) -> dict[str, Any]:
    """Ask the engine that listens at `path`; return its answer. Raise ValueError if it refuses, OSError if it does not
    answer."""
    words = json.dumps(asked).encode()
    directory = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        # The path of a UNIX socket holds 107 bytes; by the directory's descriptor it is short.
        address = f"/proc/self/fd/{directory}/{path.name}"
        answered = b""
        while not answered:  # the engine hung up: on a busy machine PATIENCE may be over before the request is sent
            answered = _ask_once(address, words)
    finally:
        os.close(directory)
    answer: dict[str, Any] = json.loads(answered)
    if "error" in answer:
        raise ValueError(answer["error"])
    return answer


def _ask_once(address: str, request: bytes) -> bytes:
    """Return the answer, or no bytes if the engine did not read the request. Raise OSError if it does not answer."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as connection:
        connection.settimeout(10)
        connection.connect(address)
        try:
            connection.send(request)
            return connection.recv(_LARGEST)
        except (BrokenPipeError, ConnectionResetError):
            return b""
