"""HTTP/1.1 as far as the pages need it (RFC 9112), and server-sent events (HTML Standard, 9.2); bytes in, bytes out.

A connection is for one request. Its answer closes it, or is a stream of events that goes on. What a browser asks to be
done is a POST of JSON: a page of another site can send one only once this server has allowed it, which it never does
(Fetch Standard, 3.3: the CORS protocol).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from http import HTTPStatus

from labctl.frozen import frozen

MOST = 16 << 10
"""Bytes that the head of a request has at most."""

RETRY = 1000
"""Milliseconds after which a browser connects again."""

_END = b"\r\n\r\n"

_ALWAYS = {
    "Cache-Control": "no-store",
    "Connection": "close",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",  # the address may have a token
    "X-Content-Type-Options": "nosniff",
}


@frozen
class Request:
    """What a browser asks for: `path` without what follows a `?`, `host` as it has typed it, `body` of a POST."""

    method: str
    path: str
    host: str
    body: bytes = b""


@frozen
class Response:
    """An answer; one without a body is the beginning of a stream of events."""

    status: HTTPStatus = HTTPStatus.OK
    kind: str = "text/plain; charset=utf-8"
    body: bytes | None = None
    headers: Mapping[str, str] | None = None

    @property
    def is_stream(self) -> bool:
        return self.body is None

    def encoded(self, with_body: bool = True) -> bytes:
        """Return the bytes to be sent; for a HEAD request those without the body."""
        length = {} if self.body is None else {"Content-Length": str(len(self.body))}
        headers = {"Content-Type": self.kind, **length, **_ALWAYS, **(self.headers or {})}
        lines = [
            f"HTTP/1.1 {self.status} {self.status.phrase}",
            *(f"{name}: {value}" for name, value in headers.items()),
        ]
        return "\r\n".join(lines).encode("latin-1") + _END + ((self.body or b"") if with_body else b"")


EVENTS = Response(kind="text/event-stream; charset=utf-8")


class BadRequest(Exception):
    """What came is no request, or none that is answered here; `response` says so."""

    def __init__(self, status: HTTPStatus) -> None:
        super().__init__(status)
        self.response = Response(status, body=f"{status.phrase}\n".encode())


def request(received: bytes) -> Request | None:
    """Return the request that was received, None while it is not whole. Raise BadRequest."""
    head, end, body = received.partition(_END)
    if not end:
        if len(received) > MOST:
            raise BadRequest(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
        return None
    first, *fields = head.decode("latin-1").split("\r\n")
    words = first.split(" ")
    if len(words) != 3 or not words[2].startswith("HTTP/1.") or not words[1].startswith("/"):
        raise BadRequest(HTTPStatus.BAD_REQUEST)
    if words[0] not in ("GET", "HEAD", "POST"):
        raise BadRequest(HTTPStatus.METHOD_NOT_ALLOWED)
    hosts = _values(fields, "host")
    if len(hosts) != 1:  # RFC 9112 3.2
        raise BadRequest(HTTPStatus.BAD_REQUEST)
    path = words[1].partition("?")[0]
    if words[0] != "POST":
        return Request(words[0], path, hosts[0])
    length = _length_of_json(fields)
    return Request("POST", path, hosts[0], body[:length]) if len(body) >= length else None


def _length_of_json(fields: list[str]) -> int:
    """Return how many bytes of JSON a request has. Raise BadRequest where it is not JSON, or too much of it."""
    if [kind.partition(";")[0].strip().lower() for kind in _values(fields, "content-type")] != ["application/json"]:
        raise BadRequest(HTTPStatus.UNSUPPORTED_MEDIA_TYPE)
    match _values(fields, "content-length"):
        case [length] if length.isascii() and length.isdigit() and len(length) < 10:
            if int(length) > MOST:
                raise BadRequest(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
            return int(length)
    raise BadRequest(HTTPStatus.LENGTH_REQUIRED)


def _values(fields: list[str], wanted: str) -> list[str]:
    """Return the values of the fields of a name."""
    return [value.strip() for name, _, value in (field.partition(":") for field in fields) if name.lower() == wanted]


def event(kind: str, data: object) -> bytes:
    """Return an event with JSON as its data."""
    return f"event: {kind}\ndata: {json.dumps(data, ensure_ascii=False, separators=(',', ':'))}\n\n".encode(
        errors="replace"
    )


def retry(milliseconds: int = RETRY) -> bytes:
    """Return what tells a browser when to connect again."""
    return f"retry: {milliseconds}\n\n".encode()
