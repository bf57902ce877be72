"""The files of the page, and what a browser may do with them: run our script, and ask this server, nothing else."""

from __future__ import annotations

from dataclasses import replace
from http import HTTPStatus
from importlib.resources import files

from labctl.report.graph.style import style
from labctl.web.http import EVENTS, Request, Response

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_KINDS = {
    "page.html": "text/html; charset=utf-8",
    "page.css": "text/css; charset=utf-8",
    "page.js": "text/javascript; charset=utf-8",
    "lesson.css": "text/css; charset=utf-8",
    "lesson.js": "text/javascript; charset=utf-8",
    "icon.svg": "image/svg+xml",
}
_NOT_FOUND = Response(HTTPStatus.NOT_FOUND, body=b"There is nothing at this address.\n")
_ONLY_READ = Response(HTTPStatus.METHOD_NOT_ALLOWED, body=b"This page is only for looking.\n")
_LESSON = b"<!-- lesson -->"


def refusal(asked: Request) -> Response | None:
    """Return why a request is not answered by a page that is only for looking, None where it is."""
    return _ONLY_READ if asked.method == "POST" else None


def lesson(name: str) -> Response:
    """Return what is at a path of the page of a lesson: that of its lab, with the lesson beside the picture."""
    found = answer(name)
    if name not in ("", "page.html") or found.body is None:
        return found
    beside = (files("labctl.web") / "assets" / "lesson.html").read_bytes()
    return replace(found, body=found.body.replace(_LESSON, beside))


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
