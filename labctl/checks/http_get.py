"""A request of HTTP and its answer (RFC 9112), through a socket that never blocks. http.client parses the answer."""

from __future__ import annotations

import io
import select
import socket
from http.client import HTTPException, HTTPResponse
from typing import Any

from labctl.checks.patient_socket import once as once_ready
from labctl.checks.patient_socket import opened, send_all, set_out, until_connected
from labctl.checks.refusal import first_packet
from labctl.checks.tcp_close import wait_until_closed
from labctl.errors import kernel_words
from labctl.frozen import frozen
from labctl.process.patience import Patience, PatienceFor
from labctl.topology.values import Host

KEPT = 1 << 20
"""Bytes of a body that are read."""


class NotHttp(Exception):
    """What is answered is no HTTP, in words."""


@frozen
class Response:
    """What a server answers: the status line, where it redirects to, and the body."""

    status: int
    reason: str
    location: str
    body: bytes  # the first KEPT bytes
    cut: str = ""  # why the body is not whole, in words


def get(namespace: str, to: Host, port: int, host: str, path: str, seconds: float, patience: PatienceFor) -> Response:
    """Ask the server of an address and a port for a path, in the name of a host, and return what it answers.

    Raise NotSent; OSError, the network's answer, or TimeoutError where there is none; NotHttp.
    """
    waiting = patience(seconds)
    with opened(namespace, "tcp", to.version) as client:
        with first_packet():
            set_out(client, to, port)
        until_connected(client, waiting)
        own_port = client.getsockname()[1]
        send_all(client, _request(host, path), waiting)
        try:
            found = _response(client, waiting)
        except HTTPException as error:
            raise NotHttp(f"{type(error).__name__}: {error}".rstrip(": ")) from error
    wait_until_closed((namespace,), own_port, patience)
    return found


def _request(host: str, path: str) -> bytes:
    lines = (
        f"GET {path} HTTP/1.1",
        f"Host: {host}",
        "User-Agent: labctl",
        "Accept: */*",
        "Accept-Encoding: identity",
        "Connection: close",
    )
    return "".join(f"{line}\r\n" for line in (*lines, "")).encode()


class _Incoming(io.RawIOBase):
    """What comes through a connection, as a file; it looks to http.client like a socket."""

    def __init__(self, connection: socket.socket, waiting: Patience) -> None:
        self._connection = connection
        self._waiting = waiting

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        """Take in what comes next. Raise TimeoutError, OSError."""
        return once_ready(self._connection, select.POLLIN, self._waiting).recv_into(buffer)

    def makefile(self, _: str) -> io.BufferedReader:
        return io.BufferedReader(self)


def _response(connection: socket.socket, waiting: Patience) -> Response:
    answer = HTTPResponse(_Incoming(connection, waiting), method="GET")  # type: ignore[arg-type]
    answer.begin()
    body, cut = bytearray(), ""
    try:
        while len(body) < KEPT and (part := answer.read1(KEPT - len(body))):
            body += part
        if len(body) < KEPT and answer.length:
            cut = f"the connection ended {answer.length:,} bytes before its end"
    except TimeoutError:
        cut = "the rest did not come in time"
    except OSError as error:
        cut = kernel_words(error)
    except HTTPException as error:
        cut = f"the rest is damaged ({type(error).__name__})"
    return Response(answer.status, answer.reason, answer.headers.get("Location") or "", bytes(body), cut)
