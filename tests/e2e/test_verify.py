"""Checks that fail, and where they say that the packets were lost."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from typing import Any

import pytest

from tests.e2e.labs import tunnel
from tests.e2e.world import DEADLINE, World, eventually, running

PING = """\
  - name: across
    ping: {from: siteA, to: 10.0.102.1, timeout: 0.3}
    crosses: ["siteA:tun0", "siteB:tun1"]
    fail: Look at the other site.
"""
BROKEN = {
    "far engine missing": (tunnel(ttun_b="", checks=PING), "siteB:tun1", "engine-ended"),
    "route missing": (tunnel(route_a="", checks=PING), "siteA", "no-route"),
    "route back missing": (tunnel(route_b="", checks=PING), "siteB", "no-route"),
    "wrong port": (
        tunnel(
            ttun_b='{device: "siteB:tun1", bind: "192.0.2.2:9001", peer: "192.0.2.1:9000"}',
            checks=PING,
        ),
        "siteA:tun0",
        "engine-sends-elsewhere",
    ),
    "a peer that is not listened to": (
        tunnel(
            ttun_b='{device: "siteB:tun1", bind: "192.0.2.2:9000", peer: "192.0.2.1:9999"}',
            checks=PING,
        ),
        "siteB:tun1",
        "stranger",
    ),
}


@pytest.mark.parametrize("defect", BROKEN)
def test_a_failing_check_names_the_mistake_of_its_file(here: World, defect: str) -> None:
    text, hop, reason = BROKEN[defect]
    here.labctl("up", here.file("broken.yaml", text))
    verdict = here.json("verify", code=1)
    (check,) = verdict["checks"]
    assert (verdict["passed"], check["passed"]) == (False, False)
    (cause,) = verdict["diagnosis"]
    assert (cause["hop"], cause["reason"], cause["checks"]) == (hop, reason, ["across"])
    assert check["lost"] == f"{hop}: {cause['words']}" and cause["evidence"]
    assert cause["fix"].startswith("broken.yaml:"), "the lab is as its file says, so the file is wrong"
    assert check["message"] == "Look at the other site."
    here.labctl("down")


WRONG = """\
  - name: a-reply-where-none-is-expected
    ping: {from: siteA, to: 10.0.102.1, timeout: 0.3}
    expect: no-reply
    crosses: ["siteA:tun0"]
  - name: no-reply-where-one-is-expected
    ping: {from: siteA, to: 10.0.102.9, timeout: 0.3}
  - name: an-interface-that-is-not-quiet
    ping: {from: siteA, to: 10.0.102.1, timeout: 0.3}
    quiet: ["siteB:tun1"]
  - name: packets-that-do-not-cross
    ping: {from: siteA, to: 192.0.2.2, timeout: 0.3}
    crosses: ["siteA:tun0", "siteB:tun1"]
  - name: data-that-arrives-though-it-should-not
    nc: {from: siteA, to: siteB, address: 10.0.102.1, port: 8000}
    expect: not-delivered
  - name: datagram-that-arrives-though-it-should-not
    nc: {from: siteA, to: siteB, address: 10.0.102.1, port: 8000, protocol: udp}
    expect: not-delivered
"""
UNDELIVERED = """\
  - {name: tcp, nc: {from: siteA, to: siteB, address: 10.0.102.1, port: 80, timeout: 0.5}}
  - {name: udp, nc: {from: siteA, to: siteB, address: 10.0.102.1, port: 80, timeout: 0.5, protocol: udp, reply: hello}}
"""
TOOLS = pytest.mark.parametrize("tools", [[], ["--system-tools"]], ids=["built-in", "system"])


@TOOLS
def test_a_wrong_expectation_fails(here: World, tools: list[str]) -> None:
    here.labctl("up", here.file("wrong.yaml", tunnel(checks=WRONG)))
    assert [check["name"] for check in here.json("verify", *tools, code=1)["checks"] if check["passed"]] == []
    here.labctl("down")


@TOOLS
def test_data_that_cannot_come_back_is_not_delivered(here: World, tools: list[str]) -> None:
    here.labctl("up", here.file("wrong.yaml", tunnel(checks=UNDELIVERED, route_b="")))
    assert [check["passed"] for check in here.json("verify", *tools, code=1)["checks"]] == [False, False]
    here.labctl("down")


def test_the_evidence_says_what_was_expected_and_what_was_counted(here: World) -> None:
    here.labctl("up", here.file("tunnel.yaml", tunnel()))
    (check,) = here.json("verify")["checks"]
    assert all(found["holds"] and found["observed"] == 3 and found["expected"] == "3" for found in check["evidence"])
    assert {found["place"] for found in check["evidence"]} == {"siteA:tun0", "siteB:tun1"}
    here.labctl("down")


def test_an_engine_that_does_not_work_is_where_the_packets_end(here: World) -> None:
    here.labctl("up", here.file("tunnel.yaml", tunnel(checks=PING)))
    (far,) = here.processes_titled("ttun tun1 ")
    (near,) = here.processes_titled("ttun tun0 ")
    os.kill(far, signal.SIGKILL)
    eventually(lambda: not here.processes_titled("ttun tun1 "), "the engine is gone")
    assert causes(here) == {("siteB:tun1", "engine-ended")}
    os.kill(near, signal.SIGSTOP)
    assert causes(here) == {("siteA:tun0", "engine-stopped"), ("siteB:tun1", "engine-ended")}
    os.kill(near, signal.SIGKILL)
    eventually(lambda: not here.processes_titled("ttun tun0 "), "the engine is gone")
    assert causes(here) == {("siteA:tun0", "engine-ended"), ("siteB:tun1", "engine-ended")}
    here.labctl("down")


SLOW = """\
  - {name: first, ping: {from: siteA, to: 10.0.102.1, count: 1}}
  - {name: then, ping: {from: siteA, to: 10.0.102.9, count: 1, timeout: 2}, expect: no-reply}
"""


def test_checks_that_ctrl_z_has_stopped_are_not_waited_for(here: World) -> None:
    here.labctl("up", here.file("tunnel.yaml", tunnel(checks=SLOW)))
    with here.start(here.command("verify"), stdout=subprocess.PIPE, process_group=0) as first:
        assert first.stdout is not None and first.stdout.readline().startswith("pass first")
        os.killpg(first.pid, signal.SIGTSTP)
        assert os.WIFSTOPPED(os.waitpid(first.pid, os.WUNTRACED)[1])
        said = here.labctl("verify", code=2).stderr
        assert "amidst the checks of lab tunnel, and stopped" in said and "fg" in said and len(said.splitlines()) <= 3
        os.killpg(first.pid, signal.SIGCONT)
        assert "all passed" in first.stdout.read()
    here.labctl("verify")
    here.labctl("down")


def causes(here: World) -> set[tuple[str, str]]:
    return {(cause["hop"], cause["reason"]) for cause in here.json("verify", code=1)["diagnosis"]}


ROUTED_ELSEWHERE = """\
ip route add 10.0.102.1/32 via 192.0.2.2 table 7
ip rule add from all lookup 7 priority 10
"""


def test_that_packets_were_not_routed_is_the_kernels_own_word(here: World) -> None:
    here.labctl("up", here.file("tunnel.yaml", tunnel(checks=PING)))
    here.labctl("exec", "siteB", "--", "sysctl", "-q", "-w", "net.ipv4.icmp_echo_ignore_all=1")
    assert causes(here) == {("siteB", "echo-ignored")}
    here.labctl("exec", "siteA", "--", "sh", "-ec", ROUTED_ELSEWHERE)
    assert causes(here) == {("siteA", "route-elsewhere"), ("siteB", "echo-ignored")}
    here.labctl("down")


STRANGER = """
import itertools, socket, time
stranger = socket.socket(type=socket.SOCK_DGRAM)
print("ready", flush=True)
for number in itertools.count():
    stranger.sendto(b"" if number % 2 else b"knock", ("10.0.1.1", 9000))
    stranger.sendto(b"knock", ("10.0.2.1", 9000))
    time.sleep(0.002)
"""


def test_a_stranger_who_sends_to_the_engines_ports_fails_no_check(here: World) -> None:
    here.labctl("up", "two-site")
    with running(here, "siteB", STRANGER):
        eventually(lambda: min(of_strangers(here)) > 100, "both engines hear the stranger")
        before = of_strangers(here)
        here.labctl("verify")
        assert all(now > then for now, then in zip(of_strangers(here), before, strict=True))
    here.labctl("down")


def of_strangers(here: World) -> list[int]:
    return [engine["counters"]["in_not_from_peer"] for engine in here.json("status")["engines"]]


def test_one_failing_check_among_others_fails_the_whole(here: World) -> None:
    checks = PING + "  - {name: nobody, ping: {from: siteA, to: 10.0.102.9, timeout: 0.2}}\n"
    here.labctl("up", here.file("tunnel.yaml", tunnel(checks=checks)))
    assert [check["passed"] for check in here.json("verify", code=1)["checks"]] == [True, False]
    here.labctl("verify", "across")
    here.labctl("verify", "nobody", code=1)
    said = here.labctl("verify", "acros", code=2).stderr
    assert "did you mean 'across'" in said
    here.labctl("down")


LATE = "  - {name: late, ping: {from: siteA, to: 10.0.102.50, count: 1, timeout: 0.1}, wait: %s}"


def test_a_check_that_waits_is_tried_again_until_it_holds(here: World) -> None:
    here.labctl("up", here.file("late.yaml", tunnel(checks=LATE % 30)))
    verify = here.start_labctl("verify", stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    eventually(lambda: sent(here) > 0, "it has been tried once")
    assert verify.poll() is None
    here.labctl("exec", "siteB", "--", "ip", "addr", "add", "10.0.102.50/32", "dev", "tun1")
    told, _ = verify.communicate(timeout=30)
    assert verify.returncode == 0, told
    here.labctl("down")


def sent(here: World) -> Any:
    return here.json("status")["namespaces"]["siteA"]["interfaces"]["tun0"]["counters"]["tx_packets"]


def test_a_check_that_waits_gives_up_in_time(here: World) -> None:
    here.labctl("up", here.file("late.yaml", tunnel(checks=LATE % 1)))
    began = time.monotonic()
    here.labctl("verify", code=1)
    assert 1 <= time.monotonic() - began < 10
    assert sent(here) >= 2, "it was tried more than once"
    here.labctl("down")


def test_a_lab_without_checks_has_nothing_to_verify(here: World) -> None:
    here.labctl("up", here.file("none.yaml", tunnel(checks="  []")))
    said = here.labctl("verify", code=2).stderr
    assert "no checks" in said and len(said.splitlines()) <= 3
    here.labctl("down")


def test_two_who_verify_at_once_do_not_count_each_others_packets(here: World) -> None:
    checks = "".join(
        f'  - {{name: c{number}, ping: {{from: siteA, to: 10.0.102.1}}, crosses: ["siteA:tun0", "siteB:tun1"]}}\n'
        for number in range(5)
    )
    here.labctl("up", here.file("tunnel.yaml", tunnel(checks=checks)))
    verifying = [here.start_labctl("verify", stdout=subprocess.PIPE) for _ in range(3)]
    for process in verifying:
        said, _ = process.communicate(timeout=DEADLINE)
        assert process.returncode == 0, said
    here.labctl("down")
