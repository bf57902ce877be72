"""A person does the same as a check at the same time: neither is counted for the other."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.e2e.labs import tunnel
from tests.e2e.world import World, eventually

PINGS = "ping -q -i 0.002 10.0.102.1"
CHECKS = """\
  - name: across
    ping: {from: siteA, to: 10.0.102.1, count: 5, interval: 0.02, timeout: 0.3}
    crosses: ["siteA:tun0", "siteB:tun1"]
  - name: beside
    ping: {from: siteA, to: 192.0.2.2, count: 5, interval: 0.02, timeout: 0.3}
    quiet: ["siteA:tun0", "siteB:tun1"]
  - name: hello
    nc: {from: siteA, to: siteB, address: 10.0.102.1, port: 8000, protocol: udp, send: Hello}
    crosses: ["siteA:tun0", "siteB:tun1"]
"""


@pytest.fixture
def pinged(here: World) -> Iterator[World]:
    """Yield a world in which a person pings through the tunnel all the time."""
    here.labctl("up", here.file("tunnel.yaml", tunnel(checks=CHECKS)))
    with here.start_labctl("exec", "siteA", "--", *PINGS.split(), stdout=subprocess.DEVNULL) as process:
        eventually(lambda: passed(here, "siteB:tun1") > 10, "pings arrive")
        yield here
        process.terminate()
    here.labctl("down")


def passed(here: World, device: str) -> int:
    engines = here.json("status")["engines"]
    return int(next(each["counters"]["tun_written_packets"] for each in engines if each["device"] == device))


def verified(here: World, code: int) -> dict[str, Any]:
    return {check["name"]: check for check in here.json("verify", code=code)["checks"]}


def test_checks_pass_with_their_own_numbers(pinged: World) -> None:
    found = verified(pinged, 0)
    assert {each["observed"] for each in found["across"]["evidence"]} == {5}
    assert {each["observed"] for each in found["beside"]["evidence"]} == {0}
    assert [each["observed"] for each in found["hello"]["evidence"]] == [1] * 6 + [0] * 6
    assert all(each["others"] > 0 for each in (*found["across"]["evidence"], *found["beside"]["evidence"]))


def test_a_check_that_fails_shows_what_it_has_sent(pinged: World) -> None:
    pinged.labctl("exec", "siteB", "--", "ip", "link", "set", "tun1", "down")
    across = verified(pinged, 1)["across"]
    sent = next(each for each in across["evidence"] if (each["place"], each["counter"]) == ("siteA:tun0", "tx"))
    assert (sent["observed"], sent["holds"]) == (5, True), json.dumps(across)
    assert "tun1" in across["lost"] and "down" in across["lost"]


SINK = """
import socket
with socket.create_server(("10.0.102.1", 5000)) as server:
    print("ready", flush=True)
    stream, _ = server.accept()
    while stream.recv(1 << 20):
        pass
"""
STREAM = """
import socket, time
with socket.create_connection(("10.0.102.1", 5000)) as stream:
    print("ready", flush=True)
    end = time.monotonic() + 120
    while time.monotonic() < end:
        stream.sendall(bytes(1 << 20))
"""


@contextmanager
def streamed(here: World) -> Iterator[None]:
    """Send through the tunnel all that fits, over TCP, while the body runs."""
    python = here.command()[0]
    with here.start_labctl("exec", "siteB", "--", python, "-c", SINK, stdout=subprocess.PIPE) as sink:
        assert sink.stdout is not None and sink.stdout.readline() == "ready\n"
        with here.start_labctl("exec", "siteA", "--", python, "-c", STREAM, stdout=subprocess.PIPE) as stream:
            assert stream.stdout is not None and stream.stdout.readline() == "ready\n"
            eventually(lambda: passed(here, "siteB:tun1") > 10_000, "the stream flows")
            yield
            stream.terminate()
        sink.terminate()


def test_checks_pass_beside_more_packets_than_can_be_looked_at(here: World) -> None:
    here.labctl("up", here.file("tunnel.yaml", tunnel(checks=CHECKS)))
    with streamed(here):
        found = verified(here, 0)
        here.labctl("exec", "siteA", "--", "ip", "address", "add", "10.0.102.1/32", "dev", "lo")
        failed = verified(here, 1)
    assert {each["observed"] for each in found["across"]["evidence"]} == {5}
    assert {each["observed"] for each in found["beside"]["evidence"]} == {0}
    assert all(each["others"] > 0 for each in (*found["across"]["evidence"], *found["beside"]["evidence"]))
    assert "10.0.102.1" in failed["across"]["lost"], failed["across"]["lost"]
    here.labctl("down")


DROPS = "table ip office { chain in { type filter hook input priority 0; icmp type echo-request drop; }; }"


def test_the_rule_that_takes_packets_is_found_beside_a_stream(here: World) -> None:
    """The rules that the datagrams of the tunnel meet are no question, and would fill what is kept of a trace."""
    here.labctl("up", here.file("tunnel.yaml", tunnel(checks=CHECKS)))
    here.labctl("exec", "siteB", "--", "nft", DROPS)
    with streamed(here):
        across = verified(here, 1)["across"]
    assert "firewall" in across["lost"] and "echo-request drop" in across["lost"], across["lost"]
    here.labctl("down")


DAMAGED = """
import socket, struct, time
connection = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_UDP)
connection.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"wan0")  # not through the tunnel
print("ready", flush=True)
while True:
    connection.sendto(struct.pack("!HHHH", 5000, 8000, 208, 0x1234) + bytes(200), ("10.0.102.1", 0))
    time.sleep(0.001)
"""


def test_a_datagram_with_a_wrong_checksum_does_not_end_a_check(here: World) -> None:
    """It wakes who waits, and is gone when it is to be read."""
    here.labctl("up", here.file("tunnel.yaml", tunnel(checks=CHECKS)))
    here.labctl("impair", "siteA:tun0", "--delay", "200ms")
    python = here.command()[0]
    with here.start_labctl("exec", "siteA", "--", python, "-c", DAMAGED, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stdout.readline() == "ready\n"
        assert here.json("verify", "hello")["checks"][0]["outcome"] == "answered"
        process.terminate()
    here.labctl("down")


@contextmanager
def traced(here: World) -> Iterator[dict[str, Any]]:
    """Trace what does nothing while the body runs, and yield what is filled with what was traced afterwards."""
    found: dict[str, Any] = {}
    process = here.start_labctl(
        "trace", "-f", "json", "siteA", "--", "sh", "-c", "echo ready >&2; read line",
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    assert process.stderr is not None
    while "ready" not in process.stderr.readline():
        pass
    yield found
    found.update(json.loads(process.communicate("\n")[0]))


def test_a_trace_does_not_see_the_packets_of_checks(here: World) -> None:
    here.labctl("up", here.file("tunnel.yaml", tunnel()))
    with traced(here) as found:
        here.labctl("verify")
        here.labctl("exec", "siteA", "--", "ping", "-c", "1", "10.0.102.1")
    echoes = [each["packet"] for each in found["packets"] if each["packet"].get("protocol") == "ICMP"]
    assert [each["destination"] for each in echoes] == ["10.0.102.1", "10.0.101.1"]
    assert found["others"] == 6
    here.labctl("down")


def test_a_check_that_is_traced_does_not_see_the_packets_of_others(pinged: World) -> None:
    found = json.loads(pinged.labctl("trace", "-f", "json", "across").stdout)
    assert sum(each["packet"].get("protocol") == "ICMP" for each in found["packets"]) == 10
    assert found["others"] > 0
