"""The files of the page, and what a browser may do with them: run our script, and ask this server, nothing else."""

from __future__ import annotations

from http import HTTPStatus
from importlib.resources import files

from labctl.report.graph.style import style
from labctl.web.http import EVENTS, Response

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_KINDS = {
    "page.html": "text/html; charset=utf-8",
    "page.css": "text/css; charset=utf-8",
    "page.js": "text/javascript; charset=utf-8",
    "icon.svg": "image/svg+xml",
}
_NOT_FOUND = Response(HTTPStatus.NOT_FOUND, body=b"There is nothing at this address.\n")


def answer(name: str) -> Response:
    """Return what is at a path relative to the page; the stream of events is `events`."""
    if name == "events":
        return EVENTS
    if name == "picture.css":
        return _file("text/css; charset=utf-8", style().encode())
    name = name or "page.html"
    if name not in _KINDS:
        return _NOT_FOUND
    return _file(_KINDS[name], (files("labctl.web") / "assets" / name).read_bytes())


def _file(kind: str, body: bytes) -> Response:
    return Response(kind=kind, body=body, headers={"Content-Security-Policy": _POLICY})
