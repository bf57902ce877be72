"""Browsers that behave as they should not: none of them holds up another."""

from __future__ import annotations

import select
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from labctl.web import server as serving
from labctl.web.access import Place
from labctl.web.http import EVENTS, Request, Response
from labctl.web.server import Server

STREAM = b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n"
FILE = b"GET /file HTTP/1.1\r\nHost: localhost\r\n\r\n"


def answer(asked: Request) -> tuple[Response, bytes]:
    return (EVENTS, b"data: hello\n\n") if asked.path == "/events" else (Response(body=b"x" * 100_000), b"")


@pytest.fixture
def server() -> Iterator[Server]:
    with Server(Place("127.0.0.1", 0), answer) as made:
        yield made


def connected(server: Server, said: bytes = b"") -> socket.socket:
    made = socket.create_connection((server.place.address, server.place.port))
    made.settimeout(5)
    made.sendall(said)
    return made


def served_until(server: Server, browser: socket.socket, end: bytes) -> bytes:
    """What a browser has received when it ends so; b"" stands for the end of the connection."""
    got, deadline = b"", time.monotonic() + 5
    while time.monotonic() < deadline:
        if select.select([server], [], [], 0.01)[0]:
            server.serve()
        if select.select([browser], [], [], 0)[0]:
            try:
                part = browser.recv(1 << 16)
            except ConnectionResetError:
                part = b""
            got += part
            if not part and not end:
                return got
        if end and got.endswith(end):
            return got
    raise AssertionError(f"received {got[-200:]!r}, which does not end with {end!r}")


def test_a_file_is_sent_whole_and_the_connection_closed(server: Server) -> None:
    with connected(server, FILE) as browser:
        assert served_until(server, browser, b"").endswith(b"x" * 100_000)


def test_a_request_may_come_byte_by_byte(server: Server) -> None:
    with connected(server) as browser:
        for byte in FILE:
            browser.sendall(bytes([byte]))
            server.serve()
        assert served_until(server, browser, b"").startswith(b"HTTP/1.1 200")


def test_a_head_request_is_answered_without_the_body(server: Server) -> None:
    with connected(server, STREAM.replace(b"GET", b"HEAD")) as browser:
        assert b"hello" not in served_until(server, browser, b"")


def test_what_is_no_request_is_told_so_and_closed(server: Server) -> None:
    with connected(server, b"hello\r\n\r\n") as browser:
        assert served_until(server, browser, b"").startswith(b"HTTP/1.1 400")


def test_events_go_to_all_streams_until_they_close(server: Server) -> None:
    with connected(server, STREAM) as one, connected(server, STREAM) as other:
        for browser in (one, other):
            served_until(server, browser, b"hello\n\n")
        server.send(b"data: news\n\n")
        for browser in (one, other):
            served_until(server, browser, b"news\n\n")
        assert server.streams == 2
        other.shutdown(socket.SHUT_RDWR)
        deadline = time.monotonic() + 5
        while server.streams == 2 and time.monotonic() < deadline:
            server.serve()
        assert server.streams == 1
        server.send(b"data: more\n\n")
        served_until(server, one, b"more\n\n")


def test_a_browser_that_does_not_read_is_cut_off_alone(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "MOST_UNREAD", 1 << 16)
    with connected(server, STREAM) as idle, connected(server, STREAM) as other:
        for browser in (idle, other):
            served_until(server, browser, b"hello\n\n")
        sent = 0
        while server.streams == 2:
            assert sent < 1000, "it is not cut off"
            server.send(b"x" * (1 << 16))
            sent += 1
            select.select([other], [], [], 5)
            while select.select([other], [], [], 0)[0]:
                other.recv(1 << 20)
                server.serve()
        server.send(b"data: news\n\n")
        assert served_until(server, other, b"news\n\n")


def test_who_asks_nothing_is_cut_off(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "PATIENCE", -1.0)
    with connected(server, b"GET /fi") as browser:
        assert served_until(server, browser, b"") == b""


@pytest.mark.parametrize("asked", [FILE, STREAM])
def test_where_as_many_look_as_may_another_is_told_so(
    server: Server, monkeypatch: pytest.MonkeyPatch, asked: bytes
) -> None:
    monkeypatch.setattr(serving, "MOST_STREAMS", 1)
    with connected(server, STREAM) as one:
        served_until(server, one, b"hello\n\n")
        with connected(server, asked) as other:
            told = served_until(server, other, b"")
            assert told.startswith(b"HTTP/1.1 503 ") and b"as many browsers" in told
        server.send(b"data: news\n\n")
        served_until(server, one, b"news\n\n")


def test_connections_that_ask_nothing_keep_none_out(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "MOST_WAITING", 3)
    with ExitStack() as opened:
        looks = opened.enter_context(connected(server, STREAM))
        served_until(server, looks, b"hello\n\n")
        idle = [opened.enter_context(connected(server)) for _ in range(4)]
        asks = opened.enter_context(connected(server, FILE))
        assert served_until(server, asks, b"").startswith(b"HTTP/1.1 200")
        assert [served_until(server, each, b"") for each in idle[:2]] == [b"", b""]  # the oldest made way
        idle[3].sendall(FILE)
        assert served_until(server, idle[3], b"").startswith(b"HTTP/1.1 200")
        server.send(b"data: news\n\n")
        served_until(server, looks, b"news\n\n")


def test_where_it_ends_its_browsers_are_told() -> None:
    with Server(Place("127.0.0.1", 0), answer) as server:
        browser = connected(server, STREAM)
        served_until(server, browser, b"hello\n\n")
    with browser:
        assert browser.recv(1) == b""
