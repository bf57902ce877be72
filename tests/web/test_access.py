"""Who may see the page."""

from __future__ import annotations

import pytest

from labctl.errors import UsageError
from labctl.web.access import DEFAULT, Access, Place, place
from labctl.web.http import Request

LOOPBACK = Access(Place("127.0.0.1", 8484))
ANYWHERE = Access(Place("0.0.0.0", 8484), "token")


def get(path: str, host: str) -> Request:
    return Request("GET", path, host)


@pytest.mark.parametrize(
    ("written", "found"),
    [
        (DEFAULT, Place("127.0.0.1", 8484)),
        ("0", Place("127.0.0.1", 0)),
        ("localhost:80", Place("127.0.0.1", 80)),
        ("0.0.0.0:65535", Place("0.0.0.0", 65535)),
        ("[::1]:8484", Place("::1", 8484)),
    ],
)
def test_an_address_has_a_port_and_is_on_loopback_if_it_does_not_say_where(written: str, found: Place) -> None:
    assert place(written) == found


@pytest.mark.parametrize(
    "written", ["two-site", "127.0.0.1", "127.0.0.1:", "::1:80", "1.2.3:80", "0.0.0.0:65536", "host:80"]
)
def test_what_is_no_address_is_refused_with_one_that_is(written: str) -> None:
    with pytest.raises(UsageError, match="labctl watch LAB --web"):
        place(written)


@pytest.mark.parametrize("host", ["localhost:8484", "LOCALHOST:8484", "127.0.0.1:8484"])
def test_on_loopback_this_machine_is_answered(host: str) -> None:
    assert LOOPBACK.refusal(get("/", host)) is None
    assert LOOPBACK.url == "http://127.0.0.1:8484/"


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8484", "localhost", "localhost:80", "127.0.0.1.evil:8484"]
)
def test_on_loopback_a_name_that_was_bound_to_it_is_refused(host: str) -> None:
    refused = LOOPBACK.refusal(get("/events", host))
    assert refused is not None and refused.status == 403 and refused.body


def test_at_port_80_a_browser_does_not_name_the_port() -> None:
    assert Access(Place("127.0.0.1", 80)).refusal(get("/", "localhost")) is None


def test_ipv6_stands_in_brackets() -> None:
    at = Access(Place("::1", 8484))
    assert at.url == "http://[::1]:8484/" and at.refusal(get("/", "[::1]:8484")) is None


def test_elsewhere_the_token_opens_whatever_the_host() -> None:
    assert ANYWHERE.refusal(get("/token/", "lab.example:8484")) is None
    assert ANYWHERE.refusal(get("/token/events", "10.0.0.1:8484")) is None
    assert ANYWHERE.url.endswith(":8484/token/")


@pytest.mark.parametrize("path", ["/", "/events", "/toke/", "/tokens/", "/TOKEN/", "/é/", "/x/token/"])
def test_elsewhere_nothing_is_told_without_the_token(path: str) -> None:
    refused = ANYWHERE.refusal(get(path, "lab.example:8484"))
    assert refused is not None and refused.status == 403 and b"token" in (refused.body or b"")


def test_each_server_has_a_token_of_its_own_that_is_long() -> None:
    tokens = {Access(Place("0.0.0.0", 1)).token for _ in range(10)}
    assert len(tokens) == 10 and min(map(len, tokens)) >= 20
