"""What became of each packet: through every interface and engine, and back, and where it ended."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.e2e.labs import PAIR, tunnel
from tests.e2e.world import DEADLINE, World, running

THERE = [
    ("transmitted", "siteA:tun0"),
    ("encapsulated", "siteA:tun0"),
    ("transmitted", "siteA:wan0"),
    ("received", "siteB:wan0"),
    ("decapsulated", "siteB:tun1"),
    ("received", "siteB:tun1"),
    ("accepted", "siteB:"),
]
BACK = [(hop, place.translate(str.maketrans("AB01", "BA10")).replace("wan1", "wan0")) for hop, place in THERE[:-1]]


@pytest.fixture
def tunnelled(here: World) -> Iterator[World]:
    here.labctl("up", here.file("tunnel.yaml", tunnel()))
    yield here
    here.labctl("down")


def trace(world: World, namespace: str, *command: str, code: int = 0) -> Any:
    return json.loads(world.labctl("trace", "-f", "json", namespace, "--", *command, code=code).stdout)


def rungs(packet: Any) -> list[tuple[str, str]]:
    return [(rung["hop"], f"{rung['namespace']}:{rung['interface']}") for rung in packet["rungs"]]


def of(traced: Any, protocol: str) -> list[Any]:
    return [packet for packet in traced["packets"] if packet["packet"].get("protocol") == protocol]


def test_a_ping_is_followed_there_and_back(tunnelled: World) -> None:
    traced = trace(tunnelled, "siteA", "ping", "-c", "1", "10.0.102.1")
    request, reply = of(traced, "ICMP")
    assert (rungs(request), rungs(reply)) == (THERE, BACK)
    assert reply["answers"] == request["number"]
    times = [rung["us"] for packet in (request, reply) for rung in packet["rungs"] if rung["us"] is not None]
    assert times == sorted(times) and times[0] == 0
    outer, inner = request["rungs"][2]["headers"]
    assert (outer["source"], outer["transport"]["ports"]) == ("192.0.2.1", [9000, 9000])
    assert (inner["source"], outer["length"] - inner["length"]) == ("10.0.101.1", 28)
    assert "10.0.102.0/24 dev tun0" in request["rungs"][0]["words"]
    assert (traced["exit_code"], traced["missed"]) == (0, 0)


def test_a_person_reads_it_beside_what_the_command_says(tunnelled: World) -> None:
    tunnelled.labctl("exec", "siteA", "--", "ping", "-c", "1", "10.0.102.1")  # no ARP from now on
    shown = tunnelled.labctl("trace", "siteA", "--", "ping", "-c", "1", "10.0.102.1", env={"COLUMNS": "80"}).stdout
    assert "1 received" in shown and "10.0.101.1→10.0.102.1 ICMP echo request" in shown
    assert "10.0.101.1→10.0.102.1 ICMP in 192.0.2.1:9000→192.0.2.2:9000 UDP, +28 bytes" in shown
    assert shown.splitlines()[-2:] == ["2 packets: 1 accepted, 1 received", "no frames missed"]


def test_a_check_is_followed(tunnelled: World) -> None:
    shown = tunnelled.labctl("trace", "across").stdout
    assert "pass across" in shown and "ICMP echo reply" in shown
    said = tunnelled.labctl("trace", "acros", code=2).stderr
    assert "across" in said


def test_the_exit_code_is_that_of_the_command(tunnelled: World) -> None:
    tunnelled.labctl("trace", "siteA", "--", "sh", "-c", "exit 7", code=7)
    assert "cannot be run" in tunnelled.labctl("trace", "siteA", "--", "/nothing", code=2).stderr
    assert "no namespace named" in tunnelled.labctl("trace", "siteX", "--", "true", code=2).stderr
    assert "a command is missing" in tunnelled.labctl("trace", "siteA", code=2).stderr
    assert "as in: labctl trace" in tunnelled.labctl("trace", code=2).stderr
    assert "as in: labctl trace" in tunnelled.labctl("trace", "tunnel", code=2).stderr  # a lab, and nothing else
    for command in ("trace", "exec"):
        assert "No such option '--json'" in tunnelled.labctl(command, "--json", "siteA", "--", "true", code=2).stderr


@pytest.mark.parametrize("kill", [os.kill, os.killpg])
def test_sigterm_ends_the_command_and_what_was_seen_is_told(tunnelled: World, kill: Callable[[int, int], None]) -> None:
    """timeout(1) sends it to the whole group, kill(1) to one process."""
    words = ("trace", "siteA", "--", "ping", "-i", "0.05", "10.0.102.1")
    tracing = tunnelled.start_labctl(*words, stdout=subprocess.PIPE, start_new_session=True)
    assert tracing.stdout is not None
    while "icmp_seq=2" not in tracing.stdout.readline():
        pass
    kill(tracing.pid, signal.SIGTERM)
    told, _ = tracing.communicate(timeout=DEADLINE)
    assert tracing.returncode == 128 + signal.SIGTERM
    assert "10.0.101.1→10.0.102.1 ICMP echo request 2" in told and "no frames missed" in told


def test_options_of_ping_that_trace_does_not_have_are_those_of_ping(tunnelled: World) -> None:
    assert "1 received" in tunnelled.labctl("trace", "siteA", "ping", "-c1", "10.0.102.1").stdout


def ping(world: World, *words: str) -> Any:
    return trace(world, "siteA", "ping", "-c", "1", "-W", "0.3", *words, code=1)


def test_a_packet_that_an_engine_drops_ends_there(tunnelled: World) -> None:
    tunnelled.labctl("impair", "siteA:tun0", "--loss", "100%")
    traced = ping(tunnelled, "10.0.102.1")
    (request,) = of(traced, "ICMP")
    (cause,) = traced["diagnosis"]
    assert (cause["reason"], cause["checks"]) == ("impaired", ["packet 1"])
    assert rungs(request) == [("transmitted", "siteA:tun0"), ("lost", "siteA:tun0")]
    assert "1 packet lost by an impairment" in request["rungs"][-1]["words"]


def test_what_an_impairment_holds_back_is_waited_for(tunnelled: World) -> None:
    """The last packet of a command is under way still when that ends."""
    tunnelled.labctl("impair", "siteA:tun0", "--delay", "300ms")
    send = "import socket; socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('10.0.102.1', 9))"
    datagram = of(trace(tunnelled, "siteA", tunnelled.command()[0], "-c", send), "UDP")[0]
    assert rungs(datagram) == [*THERE[:-1], ("dropped", "siteB:")]  # no program has the port
    tunnelled.labctl("impair", "siteA:tun0", "--delay", "30s")
    datagram = of(trace(tunnelled, "siteA", tunnelled.command()[0], "-c", send), "UDP")[0]
    assert datagram["end"] == "unknown" and "holds packets back" in datagram["rungs"][-1]["words"]


def test_a_lost_packet_that_no_check_can_send_has_no_cause(tunnelled: World) -> None:
    call = "import socket; each = socket.socket(); each.settimeout(0.2); each.connect_ex(('10.0.102.1', 0))"
    tunnelled.labctl("exec", "siteB", "--", "ip", "link", "set", "tun1", "down")
    traced = trace(tunnelled, "siteA", tunnelled.command()[0], "-c", call)
    assert of(traced, "TCP")[0]["end"] == "lost" and traced["diagnosis"] == []


def test_a_packet_that_the_cable_does_not_carry_ends_there(tunnelled: World) -> None:
    tunnelled.labctl("exec", "siteA", "--", "ping", "-c", "1", "10.0.102.1")
    tunnelled.labctl("exec", "siteB", "--", "nft", "add table netdev t; add chain netdev t c { "
                     "type filter hook ingress device wan0 priority 0; policy drop; }")  # fmt: skip
    (request,) = of(ping(tunnelled, "10.0.102.1"), "ICMP")
    assert rungs(request) == [*THERE[:4], ("lost", "siteB:tun1")]


def test_a_next_hop_that_does_not_answer_is_explained(here: World) -> None:
    here.labctl("up", here.file("pair.yaml", PAIR))
    here.labctl("exec", "right", "--", "ip", "link", "set", "eth0", "arp", "off")
    shown = here.labctl("trace", "left", "--", "ping", "-c", "1", "-W", "0.3", "192.0.2.2", code=1).stdout
    assert "ARP who has 192.0.2.2? tell 192.0.2.1" in shown and "no answer was seen" in shown
    assert "is lost for one reason" in shown and "right:eth0" in shown
    here.labctl("down")


def test_what_was_lost_once_has_no_cause(tunnelled: World) -> None:
    """The same is sent again, and arrives."""
    lossy = "import subprocess, sys; sys.exit(subprocess.run(['ping', '-c1', '-W0.3', '10.0.102.1']).returncode)"
    add = "nft 'add table t; add chain t c { type filter hook input priority 0; policy drop; }'"
    take = "nft delete table t"
    command = f'{add}; {tunnelled.command()[0]} -c "{lossy}"; code=$?; {take}; exit $code'
    traced = trace(tunnelled, "siteA", "sh", "-c", command, code=1)
    assert traced["diagnosis"] == [] and "lost" in {packet["end"] for packet in traced["packets"]}


def test_a_packet_that_no_one_wants_is_dropped_where_it_came(tunnelled: World) -> None:
    (request,) = of(ping(tunnelled, "10.0.102.9"), "ICMP")
    assert rungs(request) == [*THERE[:-1], ("dropped", "siteB:")]
    assert "10.0.102.9 is no address of siteB" in request["rungs"][-1]["words"]


def test_what_a_firewall_may_send_elsewhere_before_routing_has_no_route_that_is_certain(here: World) -> None:
    here.labctl("up", here.file("pair.yaml", PAIR))
    here.labctl("exec", "left", "--", "ip", "route", "add", "10.9.9.9", "via", "192.0.2.2")
    here.labctl("exec", "right", "--", "nft", "table ip t { "
                "chain pre { type nat hook prerouting priority -100; ip daddr 10.9.9.9 dnat to 192.0.2.2; }; "
                "chain in { type filter hook input priority 0; policy drop; }; }")  # fmt: skip
    command = ["ping", "-c", "1", "-W", "0.3", "10.9.9.9"]
    (request,) = of(trace(here, "left", *command, code=1), "ICMP")
    assert rungs(request)[-1] == ("lost", "right:")
    here.labctl("down")


def test_an_icmp_error_tells_where_a_packet_was_dropped(here: World) -> None:
    here.labctl("up", here.file("pair.yaml", PAIR))
    send = "import socket; socket.socket(type=socket.SOCK_DGRAM).sendto(b'?', ('192.0.2.2', 9))"
    traced = trace(here, "left", here.command()[0], "-c", send)
    (datagram,), (error,) = of(traced, "UDP"), of(traced, "ICMP")
    assert rungs(datagram) == [("transmitted", "left:eth0"), ("received", "right:eth0"), ("dropped", "right:")]
    assert "port unreachable" in datagram["rungs"][-1]["words"] and error["answers"] == datagram["number"]
    here.labctl("down")


STREAM = """import socket, threading, time
server = socket.create_server(("10.0.101.1", 7000))
def send():
    with socket.create_connection(("10.0.101.1", 7000)) as to:
        while True:
            to.sendall(bytes(1000))
            time.sleep(0.001)
threading.Thread(target=send, daemon=True).start()
taken, _ = server.accept()
print("ready", flush=True)
while taken.recv(1 << 20):
    pass
"""


def test_a_connection_that_was_there_before_is_left_out(tunnelled: World) -> None:
    with running(tunnelled, "siteA", STREAM):
        traced = trace(tunnelled, "siteA", "ping", "-c", "1", "10.0.102.1")
    request, reply = of(traced, "ICMP")
    assert (rungs(request), rungs(reply)) == (THERE, BACK)
    assert (traced["older_connections"], of(traced, "TCP"), traced["missed"]) == (1, [], 0)


DROP = "nft add table t; nft 'add chain t c {{ type filter hook {} priority 0; }}'; nft add rule t c {} drop"
FAULTS = {  # what is done in siteA or siteB, what takes it back, and the last rung
    "siteB: its firewall drops what is for the engine": (
        "siteB", DROP.format("input", "udp dport 9000"), "nft delete table t", ("lost", "siteB:tun1"),
    ),
    "siteA: its datagrams do not leave": (
        "siteA", DROP.format("output", "udp dport 9000"), "nft delete table t", ("lost", "siteA:tun0"),
    ),
    "siteB: echo requests are ignored": (
        "siteB", "sysctl -qw net.ipv4.icmp_echo_ignore_all=1", "sysctl -qw net.ipv4.icmp_echo_ignore_all=0",
        ("lost", "siteB:"),
    ),
    "siteA: the neighbour has another address": (
        "siteA", "ip neigh replace 192.0.2.2 lladdr 02:00:00:00:00:99 dev wan0 nud permanent",
        "ip neigh del 192.0.2.2 dev wan0", ("dropped", "siteB:wan0"),
    ),
    "siteB: the TUN device is down": (
        "siteB", "ip link set tun1 down", "ip link set tun1 up", ("lost", "siteB:tun1"),
    ),
}  # fmt: skip


def test_the_trace_of_a_lost_packet_ends_where_it_was_lost(as_user: World) -> None:
    as_user.labctl("up", as_user.file("tunnel.yaml", tunnel()))
    for fault, (namespace, inject, undo, end) in FAULTS.items():
        as_user.labctl("exec", namespace, "--", "sh", "-c", inject)
        (request,) = of(ping(as_user, "10.0.102.1"), "ICMP")
        assert rungs(request)[-1] == end, fault
        as_user.labctl("exec", namespace, "--", "sh", "-c", undo)
    as_user.labctl("down")
