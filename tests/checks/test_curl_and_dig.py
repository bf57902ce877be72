"""What curl and dig print, as they do in Debian 12, and what is concluded from it."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Any

import pytest

from labctl.checks.results import State
from labctl.checks.system import curl, dig
from labctl.topology.model import Dns, Http

END = "\nlabctl 000 0 \n"
REFUSED = "*   Trying 10.0.0.1:81...\n* connect to 10.0.0.1 port 81 failed: Connection refused\n"


@pytest.mark.parametrize(
    ("body", "said", "state", "words"),
    [
        ("hello", "* Connected\n\nlabctl 200 40000 \n", "answered", "200, 5 bytes"),
        ("", "\nlabctl 404 40000 \n", "differs", "404, 0 bytes"),
        ("", "\nlabctl 302 4000 http://a/b\n", "differs", "302, which leads to http://a/b, 0 bytes"),
        (
            "hel", "\nlabctl 200 4 \ncurl: (18) transfer closed with 2 bytes remaining to read\n", "differs",
            "200, 3 bytes of the body, but transfer closed with 2 bytes remaining to read",
        ),
        ("", REFUSED + END + "curl: (7) Failed to connect\n", "silent", "nothing came back: Failed to connect"),
        ("", END + "curl: (52) Empty reply from server\n", "differs", "Empty reply from server"),
        ("", END + "curl: (56) Recv failure: Reset\n", "silent", "nothing came back: Recv failure: Reset"),
        ("", END + "curl: (28) Connection timed out\n", "silent", "nothing came back: timed out after 3 s"),
        (
            "", "* Immediate connect fail for 10.0.0.1: Network is unreachable\n" + END + "curl: (7) Failed\n",
            "not-sent", "not sent: Network is unreachable (ENETUNREACH), as with no route",
        ),
        (
            "", "* Immediate connect fail for 10.0.0.1: Operation not permitted\n" + END + "curl: (7) Failed\n",
            "not-sent", "not sent: Operation not permitted (EPERM), as with a firewall on the way out",
        ),
        ("", END + "curl: (6) Could not resolve host: web\n", "differs", "Could not resolve host: web"),
        ("", "", "unasked", "curl says: nothing"),
    ],
)  # fmt: skip
def test_what_curl_says_of_a_request(body: str, said: str, state: State, words: str) -> None:
    found = curl.outcome(Http.read({"from": "a", "url": "http://10.0.0.1/"}), body.encode(), said)
    assert (found.state, found.words) == (state, words)


@pytest.mark.parametrize(
    ("said", "version"),
    [("curl 7.88.1 (x86_64)", "curl 7.88"), ("curl 8.5.0", "curl 8.5"), ("curl 7.52.1", None), ("BusyBox", None)],
)
def test_a_curl_that_is_too_old_is_not_taken(said: str, version: str | None) -> None:
    assert curl.known(said) == version


HEAD = ";; Got answer:\n;; ->>HEADER<<- opcode: QUERY, status: %s, id: 4\n;; flags: qr rd; QUERY: 1, ANSWER: 1\n\n"
CHAIN = "www.lab.\t\t60\tIN\tCNAME\tWeb.lab.\nweb.lab.\t0\tIN\tA\t10.0.0.7\nother.lab. 0 IN A 10.0.0.9\n"


@pytest.mark.parametrize(
    ("said", "state", "words"),
    [
        (HEAD % "NOERROR" + "www.lab.\t0\tIN\tA\t10.0.0.7\n", "answered", "10.0.0.53 answers 10.0.0.7"),
        (HEAD % "NOERROR" + CHAIN, "answered", "10.0.0.53 answers 10.0.0.7"),
        (HEAD % "NOERROR", "differs", "10.0.0.53 has no address of type A for www.lab"),
        (HEAD % "NXDOMAIN", "differs", "10.0.0.53 says that there is no name www.lab (NXDOMAIN)"),
        (HEAD % "SERVFAIL", "differs", "10.0.0.53 answers SERVFAIL"),
        (
            ";; UDP setup with 203.0.113.1#53(203.0.113.1) for x failed: network unreachable.\n", "not-sent",
            "not sent: Network is unreachable (ENETUNREACH), as with no route",
        ),
        (
            ";; communications error to 10.0.0.53#53: connection refused\n\n;; no servers could be reached\n", "silent",
            "10.0.0.53 refused",
        ),
        (
            ";; communications error to 10.0.0.53#53: timed out\n;; no servers could be reached\n", "silent",
            "10.0.0.53 did not answer within 2 s",
        ),
        ("dig: parse of /etc/resolv.conf failed", "unasked", "dig says: dig: parse of /etc/resolv.conf failed"),
    ],
)  # fmt: skip
def test_what_dig_says_of_a_question(said: str, state: State, words: Any) -> None:
    asked = Dns.read({"from": "a", "name": "www.lab", "is": ["10.0.0.7"]})
    found = dig.outcome(asked, ip_address("10.0.0.53"), said, has_way=False)
    assert (found.state, found.words) == (state, words)


@pytest.mark.parametrize("why", ["network unreachable", "host unreachable", "permission denied"])
def test_what_a_router_refuses_has_been_sent(why: str) -> None:
    asked = Dns.read({"from": "a", "name": "www.lab", "is": ["10.0.0.7"]})
    said = f";; communications error to 10.0.0.53#53: {why}\n"
    found = dig.outcome(asked, ip_address("10.0.0.53"), said, has_way=True)
    assert (found.state, found.words) == ("silent", f"nothing came back from 10.0.0.53: {why}")


def test_a_dig_is_known_by_its_version() -> None:
    assert dig.known("DiG 9.18.49-1~deb12u3-Debian\n") and dig.known("drill") is None
