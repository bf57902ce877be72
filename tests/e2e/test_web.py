"""The live page of a real lab: what browsers are sent, and that no browser and no signal brings it out of step."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.client import HTTPConnection, HTTPResponse
from typing import Any

import pytest

from tests.e2e.conftest import possible
from tests.e2e.labs import tunnel
from tests.e2e.world import DEADLINE, World, eventually, world

ENGINE = "siteB:tun1"


@pytest.fixture(scope="module", params=["root", "rootless"])
def here(request: pytest.FixtureRequest) -> Iterator[World]:
    """A lab, which each test leaves as it found it."""
    possible(request.param)
    with world(request.param) as made:
        made.have_loopback()
        made.labctl("up", made.file("tunnel.yaml", tunnel()))
        yield made
        made.labctl("down")


class Served:
    """A page that is served, and its address."""

    def __init__(self, here: World, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        self.process = process
        self._here = here
        self.said = process.stdout.readline()
        found = re.search(r"http://[^/]+:(\d+)(/\S*);", self.said)
        assert found, self.said
        self.port, self.root = int(found[1]), found[2]

    def get(self, path: str, host: str = "") -> HTTPResponse:
        """Ask for a path below the root, or from the top where it begins with a slash."""
        connection = HTTPConnection("127.0.0.1", self.port)
        connection.sock = self.connected()
        asked = path if path.startswith("/") else self.root + path
        connection.request("GET", asked, headers={"Host": host or f"127.0.0.1:{self.port}"})
        return connection.getresponse()

    def connected(self) -> socket.socket:
        """Connect from within the world, which has a network of its own."""
        ours, theirs = socket.socketpair()

        def connect() -> bool:
            with socket.create_connection(("127.0.0.1", self.port), DEADLINE) as made:
                socket.send_fds(theirs, [b"."], [made.fileno()])
            return True

        with ours, theirs:
            assert self._here.inside(connect)
            _, [descriptor], _, _ = socket.recv_fds(ours, 1, 1)
        made = socket.socket(fileno=descriptor)
        made.settimeout(DEADLINE)
        return made


class Stream:
    """A browser without a window: what it was sent, put together."""

    def __init__(self, served: Served) -> None:
        self._response = served.get("events")
        assert self._response.status == 200
        self.document: dict[str, Any] = {}
        self.picture = ""
        self.ping: dict[str, Any] = {}
        self.moves: list[dict[str, Any]] = []
        self.happened: list[str] = []

    def until(self, is_so: Callable[[Stream], Any], what: str) -> Any:
        """Read on until something is so, and return it."""
        deadline = time.monotonic() + DEADLINE
        while not (found := is_so(self)):
            assert time.monotonic() < deadline, f"not so within {DEADLINE:g} s: {what}; {self.document}"
            assert self.read(), "the stream has ended"
        return found

    def read(self) -> bool:
        """Take one event. Return whether there was one more."""
        lines = dict(line.split(": ", 1) for line in iter(self._line, ""))
        if "event" in lines:
            self._take(lines["event"], json.loads(lines["data"]))
        return bool(lines)

    def _line(self) -> str:
        return self._response.readline().decode().rstrip("\n")

    def _take(self, kind: str, data: Any) -> None:
        match kind:
            case "picture":
                self.picture = data
            case "whole":
                self.document = data
            case "change":
                _merge(self.document, data)
            case "packets":
                assert data["seen"] <= data["crossed"]
                for move in data["moves"]:
                    self.moves.append({**move, "asked": data["moves"][move["after"]]} if "after" in move else move)
            case "ping":
                self.ping = data
            case "happened":
                self.happened += [words for _, _, words in data]

    def close(self) -> None:
        self._response.close()


def _merge(target: dict[str, Any], change: dict[str, Any]) -> None:
    for name, value in change.items():
        if value is None:
            target.pop(name, None)
        elif isinstance(value, dict) and isinstance(target.get(name), dict):
            _merge(target[name], value)
        else:
            target[name] = value


@contextmanager
def serving(here: World, *words: str, end: signal.Signals = signal.SIGINT) -> Iterator[Served]:
    """Serve the page; it ends by a signal, and without a word on standard error. As these do:

    labctl watch --web
    labctl watch --web --verify
    labctl watch --web 0.0.0.0:8484
    """
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "start_new_session": True}
    with here.start_labctl("watch", "--web", *(words or ("0",)), **pipes) as process:
        try:
            yield Served(here, process)
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)
            raise
        os.killpg(process.pid, end)
        _, said = process.communicate(timeout=DEADLINE)
        assert (process.returncode, said) == (0, "")


@contextmanager
def looking(served: Served) -> Iterator[Stream]:
    stream = Stream(served)
    try:
        yield stream
    finally:
        stream.close()


def is_up(stream: Stream) -> bool:
    return stream.document.get("phase") == "up" and bool(stream.document.get("rates")) and bool(stream.picture)


def kill_engine(here: World) -> None:
    [pid] = [one["pid"] for one in here.json("status")["engines"] if one["device"] == ENGINE]
    here.labctl("exec", "siteB", "--", "sh", "-c", f"kill -KILL {pid}")


@contextmanager
def pinging(here: World) -> Iterator[None]:
    """Ping through the tunnel, several times a second."""
    command = ("exec", "siteA", "--", "ping", "-i0.3", "10.0.102.1")
    with here.start_labctl(*command, stdout=subprocess.DEVNULL) as ping:
        try:
            yield
        finally:
            ping.terminate()


def test_the_page_is_served_whole_and_may_ask_this_server_alone(here: World) -> None:
    with serving(here) as served:
        page = served.get("")
        text = page.read().decode()
        policy = page.headers["Content-Security-Policy"]
        assert page.status == 200 and "default-src 'none'" in policy and "unsafe" not in policy
        for file in re.findall(r'(?:href|src)="([^"]+)"', text):
            assert "//" not in file and served.get(file).status == 200
        assert served.get("nothing").status == 404
        assert served.get("../page.html").status == 404


def test_a_page_of_another_site_is_told_nothing(here: World) -> None:
    with serving(here) as served:
        refused = served.get("events", host="rebound.example")
        assert refused.status == 403 and b"machine" in refused.read()


def test_elsewhere_than_on_loopback_there_is_a_token(here: World) -> None:
    with serving(here, "0.0.0.0:0") as served:
        assert len(served.root) > 20
        refused = served.get("/events")
        assert refused.status == 403 and b"token" in refused.read()
        with looking(served) as stream:
            stream.until(is_up, "the lab is up")


def test_a_killed_engine_is_dead_and_up_starts_it_again(here: World) -> None:
    with serving(here) as served, looking(served) as stream:
        stream.until(lambda it: is_up(it) and it.document["compared"] and not it.document["marks"], "all is well")
        kill_engine(here)
        stream.until(lambda it: it.document["dead"] == [["siteB:tun1", "engine has ended"]], "it is dead")
        marks = stream.document["marks"]
        assert (marks["engine-siteB:tun1"], marks["tun-siteA:tun0"]) == ("dead", "dead")
        assert all(f'id="{name}"' in stream.picture for name in marks)
        stream.until(lambda it: any("siteB:tun1 ended" in words for words in it.happened), "that it ended is told")
        here.labctl("up", "tunnel.yaml")
        stream.until(lambda it: not (it.document["dead"] or it.document["drift"]), "it is well again")


def test_a_link_that_is_down_cuts_what_goes_over_it(here: World) -> None:
    with serving(here) as served, looking(served) as stream:
        stream.until(is_up, "the lab is up")
        here.labctl("exec", "siteA", "--", "ip", "link", "set", "wan0", "down")
        stream.until(lambda it: {"link-siteA:wan0", "tun-siteA:tun0"} <= it.document["marks"].keys(), "it is cut")
        assert ["siteA:wan0", "is down"] in stream.document["dead"]
        here.labctl("up", "tunnel.yaml")
        stream.until(lambda it: not it.document["marks"], "all is well again")


def test_a_ping_moves_along_the_tunnel_and_its_ladder_is_told(here: World) -> None:
    with serving(here) as served, looking(served) as stream:
        stream.until(is_up, "the lab is up")
        with pinging(here):
            stream.until(lambda it: it.ping.get("answered"), "the ping was answered")
            back, *_ = stream.until(
                lambda it: [one for one in it.moves if "asked" in one and one["kind"] == "ICMP"], "moves"
            )
            stream.until(lambda it: it.document["rates"]["tun-siteA:tun0"]["there"][0] > 0, "a rate")
    hops = [(rung["hop"], rung["place"]) for rung in stream.ping["rungs"]]
    assert hops == [
        ("transmitted", "siteA:tun0"),
        ("encapsulated", "siteA:tun0"),
        ("transmitted", "siteA:wan0"),
        ("received", "siteB:wan0"),
        ("decapsulated", "siteB:tun1"),
        ("received", "siteB:tun1"),
        ("accepted", "siteB"),
    ]
    there = back["asked"]
    assert [(leg["line"], leg["back"]) for leg in there["legs"]] == [("tun-siteA:tun0", False)]
    assert [(leg["line"], leg["back"]) for leg in back["legs"]] == [("tun-siteA:tun0", True)]
    assert not there["lost"]


def test_a_ping_that_is_lost_goes_as_far_as_it_was_seen(here: World) -> None:
    with serving(here) as served, looking(served) as stream:
        stream.until(is_up, "the lab is up")
        here.labctl("exec", "siteB", "--", "sysctl", "-qw", "net.ipv4.icmp_echo_ignore_all=1")
        here.labctl("exec", "siteA", "--", "ping", "-c1", "-W1", "10.0.102.1", code=None)
        stream.until(lambda it: it.ping.get("end") == "lost", "the ping was lost")
        [leg] = stream.until(lambda it: [each for each in it.moves if each["lost"]], "it moved")[0]["legs"]
        assert leg["line"] == "tun-siteA:tun0" and "until" not in leg
        here.labctl("exec", "siteB", "--", "sysctl", "-qw", "net.ipv4.icmp_echo_ignore_all=0")


def test_it_waits_while_the_lab_is_down(here: World) -> None:
    with serving(here) as served, looking(served) as stream:
        stream.until(is_up, "the lab is up")
        here.labctl("down")
        stream.until(lambda it: it.document["phase"] == "down", "it is down")
        with looking(served) as late:
            late.until(lambda it: it.document, "who comes now")
            assert late.document["phase"] == "down" and "siteA" in late.picture
        here.labctl("up", "tunnel.yaml")
        stream.until(lambda it: is_up(it) and not it.document["dead"], "it is up again")


def test_checks_are_run_again_and_again_if_asked_for(here: World) -> None:
    def verdict(it: Stream) -> Any:
        return it.document.get("checks", {}).get("across", {}).get("verdict")

    with serving(here, "0", "--verify") as served, looking(served) as stream:
        stream.until(lambda it: verdict(it) == "passed", "the check passed")
        kill_engine(here)
        stream.until(lambda it: verdict(it) == "failed", "the check failed")
        here.labctl("up", "tunnel.yaml")
        stream.until(lambda it: verdict(it) == "passed", "the check passed again")


def descriptors(served: Served) -> int:
    return len(os.listdir(f"/proc/{served.process.pid}/fd"))


def test_browsers_that_go_leave_nothing_behind(here: World) -> None:
    with serving(here) as served, looking(served) as stream:
        stream.until(is_up, "the lab is up")
        before = descriptors(served)
        gone = [served.connected() for _ in range(9)]
        for connection in gone[:3]:
            connection.sendall(b"GET /events HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n\r\n" % served.port)
        for connection in gone[3:6]:
            connection.sendall(b"GET /ev")
        eventually(lambda: descriptors(served) >= before + 6, "they are connected")
        for connection in gone:
            connection.close()
        eventually(lambda: descriptors(served) <= before, "they are gone")
        assert len(os.listdir(f"/proc/{served.process.pid}/task")) == 1
        assert stream.read()


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM])
def test_it_ends_without_a_word_and_its_browsers_know(here: World, end: signal.Signals) -> None:
    with serving(here, end=end) as served:
        stream = Stream(served)
        stream.until(is_up, "the lab is up")
    with suppress(ConnectionResetError):
        while stream.read():
            pass
    stream.close()


def test_a_port_that_is_taken_is_told_with_what_to_do(here: World) -> None:
    with serving(here) as served:
        refused = here.labctl("watch", "--web", str(served.port), code=2)
        what, why, hint = refused.stderr.splitlines()
        assert (
            f"127.0.0.1:{served.port}" in what and "EADDRINUSE" in why and f"--web 127.0.0.1:{served.port + 1}" in hint
        )


def test_what_is_no_address_is_told_with_what_is_one(here: World) -> None:
    refused = here.labctl("watch", "--web", "tunnel", code=2)
    assert "labctl watch LAB --web 127.0.0.1:8484" in refused.stderr
