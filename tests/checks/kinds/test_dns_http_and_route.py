"""What is concluded from the answers of name servers, of web servers, and of the kernel."""

from __future__ import annotations

import errno
from ipaddress import ip_address
from typing import Any

import pytest

from labctl.checks import host_names
from labctl.checks.dns_message import Answer
from labctl.checks.http_get import Response
from labctl.checks.kinds import dns, http, route
from labctl.checks.results import State
from labctl.kernel.lookup import NoWay, Way
from labctl.process.patience import Patience
from labctl.topology.model import Dns, Http, RouteLookup
from labctl.topology.values import Host

SERVER = ip_address("10.0.0.53")
ONE, OTHER = ip_address("10.0.0.1"), ip_address("10.0.0.2")


@pytest.mark.parametrize(
    ("wanted", "code", "got", "state", "words"),
    [
        ([ONE, OTHER], "NOERROR", (OTHER, ONE), "answered", "10.0.0.53 answers 10.0.0.2, 10.0.0.1"),
        ([ONE], "NOERROR", (ONE, OTHER), "differs", "10.0.0.53 answers 10.0.0.1, 10.0.0.2"),
        ([ONE], "NOERROR", (), "differs", "10.0.0.53 has no address of type A for www.lab"),
        ([], "NOERROR", (), "answered", "10.0.0.53 has no address of type A for www.lab"),
        ([], "NXDOMAIN", (), "answered", "10.0.0.53 says that there is no name www.lab (NXDOMAIN)"),
        ([ONE], "NXDOMAIN", (), "differs", "10.0.0.53 says that there is no name www.lab (NXDOMAIN)"),
        ([], "SERVFAIL", (), "differs", "10.0.0.53 answers SERVFAIL"),
        ([], "REFUSED", (), "differs", "10.0.0.53 answers REFUSED"),
    ],
)
def test_a_name_has_exactly_the_addresses_that_are_named(
    wanted: list[Any], code: str, got: tuple[Any, ...], state: State, words: str
) -> None:
    asked = Dns.read({"from": "a", "name": "www.lab", "is": [str(address) for address in wanted]})
    found = dns.concluded(asked, SERVER, Answer(code, got, False))
    assert (found.state, found.words) == (state, words)


@pytest.mark.parametrize(
    ("asked", "response", "state", "words"),
    [
        ({}, Response(200, "OK", "", b"hello"), "answered", "200 OK, 5 bytes"),
        ({}, Response(404, "Not Found", "", b""), "differs", "404 Not Found, 0 bytes"),
        ({"status": 404}, Response(404, "", "", b""), "answered", "404, 0 bytes"),
        ({"body": "^b$"}, Response(200, "OK", "", b"a\nb\n"), "answered", "200 OK, 4 bytes"),
        ({"body": "c"}, Response(200, "OK", "", b"a\nb\n"), "differs", "200 OK, 4 bytes, /c/ is not among them"),
        (
            {},
            Response(200, "OK", "", b"a", "the rest did not come in time"),
            "differs",
            "200 OK, 1 bytes of the body, but the rest did not come in time",
        ),
        ({}, Response(302, "Found", "/b", b""), "differs", "302 Found, which leads to /b, 0 bytes"),
        ({"status": 302}, Response(302, "Found", "/b", b""), "answered", "302 Found, which leads to /b, 0 bytes"),
    ],
)
def test_a_page_has_its_status_and_its_body(
    asked: dict[str, Any], response: Response, state: State, words: str
) -> None:
    url = "http://10.0.0.1/a"
    found = http.concluded(Http.read({"from": "a", "url": url, **asked}), response, url)
    assert (found.state, found.words) == (state, words)


@pytest.mark.parametrize(
    "location", ["http://[10.0.0.2/", "http://10.0.0.2:99999/", "http://10.0.0.2:x/", "http://a b/"]
)
def test_a_redirect_to_what_is_no_url_is_not_followed(location: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "get", lambda *_: Response(302, "Found", location, b""))
    asked = Http.read({"from": "a", "url": "http://10.0.0.1/", "redirects": 1})
    found = http.HttpKind(asked).ask(Patience)
    assert (found.state, found.words) == ("differs", f"302 Found, which leads to {location}, 0 bytes")


def test_a_name_may_end_with_the_dot_of_the_root(monkeypatch: pytest.MonkeyPatch) -> None:
    names: list[str] = []

    def query(namespace: str, server: Host, port: int, name: str, *_: object) -> Answer:
        names.append(name)
        return Answer("NXDOMAIN", (), False)

    monkeypatch.setattr(http, "name_servers", lambda _: [SERVER])
    monkeypatch.setattr(http, "query", query)
    asked = Http.read({"from": "a", "url": "http://www.lab./"})
    assert http.HttpKind(asked).ask(Patience).state == "differs" and set(names) == {"www.lab"}


@pytest.mark.parametrize(
    ("asked", "found", "state"),
    [
        ({}, Way("tun0", None, "10.0.1.1", False), "answered"),
        ({"dev": "tun0"}, Way("tun0", "10.0.1.2", "10.0.1.1", False), "answered"),
        ({"dev": "tun0", "via": "10.0.1.2", "src": "10.0.1.1"}, Way("tun0", "10.0.1.2", "10.0.1.1", False), "answered"),
        ({"dev": "tun1"}, Way("tun0", "10.0.1.2", "10.0.1.1", False), "differs"),
        ({"via": "10.0.1.2"}, Way("tun0", None, "10.0.1.1", False), "differs"),
        ({"src": "10.0.1.2"}, Way("tun0", None, "10.0.1.1", False), "differs"),
        ({}, NoWay(errno.ENETUNREACH, ""), "not-sent"),
        ({}, NoWay(errno.EACCES, ""), "not-sent"),
    ],
)
def test_a_route_is_as_the_kernel_says(asked: dict[str, Any], found: Way | NoWay, state: State) -> None:
    question = RouteLookup.read({"in": "a", "to": "10.9.0.1", **asked})
    assert route.concluded(question, found).state == state


HOSTS = """\
127.0.0.1 localhost
10.0.0.1\tweb web.lab # and not old.lab
nonsense bad
2001:db8::1 Web
"""
RESOLV = """\
# nameserver 10.0.0.9
search lab
nameserver 10.0.0.53
nameserver bad
nameserver
options x
nameserver ::1
"""


def test_hosts_and_name_servers_are_read_as_the_c_library_reads_them() -> None:
    assert [*map(str, host_names.addresses(HOSTS, "WEB"))] == ["10.0.0.1", "2001:db8::1"]
    for name in ("old.lab", "bad", "10.0.0.1", "", "and"):
        assert [*host_names.addresses(HOSTS, name)] == []
    assert [*map(str, host_names.servers(RESOLV))] == ["10.0.0.53", "::1"]
