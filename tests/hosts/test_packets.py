"""trace and capture over two hosts: what each sees becomes one journey."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from itertools import pairwise
from typing import Any

from tests.hosts.conftest import Wire
from tests.hosts.machines import Machine, dropping
from tests.hosts.test_two_site import INVENTORY

PROGRAM = """
from labctl import Lab

lab = Lab("two-site")
traced = lab["siteA"].trace("ping -c1 -W5 10.0.102.1")
assert traced.exit_code == 0 and traced.clocks.within("srv1", "srv2") < 10**9
assert {rung.namespace for rung in traced.ladders[0].rungs} == {"siteA", "siteB"}
assert lab.trace("underlay").ladders
with lab.capture("siteA:tun0", "siteB:tun1", filter="icmp") as seen:
    lab["siteA"].run("ping -c1 -W5 10.0.102.1", check=True)
places = [(str(each.ref), each.outgoing) for each in seen.packets]
assert sorted(places) == [(where, way) for where in ("siteA:tun0", "siteB:tun1") for way in (False, True)], places
print(seen.interfaces)
"""


def rungs(packet: Any) -> list[tuple[str, str, str]]:
    return [(rung["hop"], rung["namespace"], rung["interface"]) for rung in packet["rungs"]]


WAY = [
    ("transmitted", "siteA", "tun0"), ("encapsulated", "siteA", "tun0"), ("transmitted", "siteA", "wan0"),
    ("carried", "siteA", "wan0"), ("received", "siteB", "wan0"), ("decapsulated", "siteB", "tun1"),
    ("received", "siteB", "tun1"), ("accepted", "siteB", ""),
]  # fmt: skip


def test_packets_of_two_hosts(wire: Wire) -> None:
    near = wire.near
    near.labctl("up", "two-site", "-i", near.file("inventory.yaml", INVENTORY))
    _trace_follows_a_command(near)
    near.file("program.py", PROGRAM)
    assert "times are of this machine, ±" in near.run(sys.executable, "program.py").stdout
    _trace_of_a_check_and_of_what_is_lost(wire)
    _capture_of_the_whole_lab(near)
    _what_was_seen_before_a_host_is_lost_is_told(wire)
    near.labctl("down")


def _trace_follows_a_command(near: Machine) -> None:
    done = near.labctl("trace", "-f", "json", "siteA", "--", "sh", "-c", "ping -c1 -W5 10.0.102.1; exit 3", code=3)
    assert "1 received" in done.stderr, "what it prints is not among the JSON"
    found = _json(done)
    request = next(each for each in found["packets"] if (each["packet"] or {}).get("protocol") == "ICMP")
    assert rungs(request) == WAY
    assert request["rungs"][3]["words"] == "the cable from srv1 to srv2"
    assert found["missed"] == 0 and found["lost_hosts"] == []
    for packet in found["packets"]:
        seen = [rung["us"] for rung in packet["rungs"] if rung["us"] is not None]
        assert all(before <= after for before, after in pairwise(seen)), "no packet arrives before it left"
        sure = {rung["namespace"]: rung["within_us"] for rung in packet["rungs"] if rung["us"] is not None}
        assert sure.get("siteA", 0) == 0 < sure.get("siteB", 1)


def _trace_of_a_check_and_of_what_is_lost(wire: Wire) -> None:
    near = wire.near
    told = near.labctl("trace", "hello-over-udp-a-to-b").stdout
    assert "pass hello-over-udp-a-to-b" in told
    assert "by the cable from srv1 to srv2" in told and "± is how well the clocks of the hosts are known" in told
    with dropping(wire.srv2, "udp dport 47000-47009 udp length 900-1100"):  # the cable stays up
        ping = ("ping", "-c1", "-W1", "-s900", "192.0.2.2")
        found = _json(near.labctl("trace", "-f", "json", "siteA", "--", *ping, code=1))
    (words,) = [each["rungs"][-1]["words"] for each in found["packets"] if each["end"] == "lost"]
    assert words.startswith("last seen leaving siteA:wan0, not seen at siteB:wan0")
    assert near.labctl("trace", "siteA", code=2).stderr.count("is a namespace of lab two-site, and no check") == 1


def _capture_of_the_whole_lab(near: Machine) -> None:
    with near.start_labctl(
        "capture", "--filter", "icmp", "-c", "8", stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as it:
        assert it.stderr is not None and it.stderr.readline().startswith("watching every interface of lab two-site")
        near.labctl("exec", "siteA", "--", "ping", "-c2", "-i0.2", "-W5", "10.0.102.1")
        out, err = it.communicate()
    assert it.returncode == 0, err
    assert len(out.splitlines()) == 8, "the count is of all hosts"
    assert {line.split()[1] for line in out.splitlines()} == {"siteA:tun0", "siteB:tun1"}
    with near.start_labctl("capture", "siteB", "-w", "seen.pcapng", stderr=subprocess.PIPE) as it:
        assert it.stderr is not None and it.stderr.readline().startswith("watching siteB;")
        near.labctl("exec", "siteB", "--", "ping", "-c1", "-W5", "10.0.101.1")
        near.interrupt(it)
        it.communicate()
    assert it.returncode == 0
    seen = _bytes(near, "seen.pcapng")
    assert seen[:4] == b"\x0a\x0d\x0d\x0a" and b"siteB:wan0" in seen and b"cable to siteA:wan0, on srv1" in seen
    assert "has no namespace named 'siteC'" in near.labctl("capture", "siteC", code=2).stderr


def _what_was_seen_before_a_host_is_lost_is_told(wire: Wire) -> None:
    near, srv2 = wire.near, wire.srv2
    pings = ("ping", "-c1", "-W5", "10.0.102.1")
    with near.start_labctl("capture", "-w", "lost.pcapng", stderr=subprocess.PIPE) as it:
        assert it.stderr is not None and it.stderr.readline().startswith("watching every interface")
        near.labctl("exec", "siteA", "--", *pings)
        srv2.kill("sshd: anna")
        assert any("srv2 cannot be reached any more" in line for line in iter(it.stderr.readline, ""))
        near.labctl("exec", "siteA", "--", "ping", "-c1", "-W5", "-p", "c0ffee", "192.0.2.2")
        near.interrupt(it)
        _, err = it.communicate()
    assert it.returncode == 5, err
    seen = _bytes(near, "lost.pcapng")
    assert b"siteB:tun1" in seen and b"\xc0\xff\xee" * 4 in seen, "what passed on the other host is told, too"
    assert int.from_bytes(seen[-4:], "little") == _last_block(seen), "the file is whole"
    words = ("trace", "siteA", "--", "sh", "-c", f"{' '.join(pings)}; cat")
    with near.start_labctl(*words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as it:
        assert it.stdout is not None and it.stdin is not None
        assert any("1 received" in line for line in iter(it.stdout.readline, ""))
        srv2.kill("sshd: anna")
        out, err = it.communicate("")
    assert it.returncode == 5, err
    assert "srv2 cannot be reached" in out and "transmitted" in out


def _last_block(file: bytes) -> int:
    """Return the length of the last block of a pcapng file, found from its first: each tells its length."""
    at = length = 0
    while at < len(file):
        length = int.from_bytes(file[at + 4 : at + 8], "little")
        assert length >= 12, at
        at += length
    assert at == len(file)
    return length


def _bytes(machine: Machine, file: str) -> bytes:
    return base64.b64decode(machine.run("base64", file).stdout)


def _json(done: subprocess.CompletedProcess[str]) -> Any:
    return json.loads(done.stdout)
