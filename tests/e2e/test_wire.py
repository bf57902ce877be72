"""The wire is one raw IP packet in one UDP datagram: socat speaks it too, and tcpdump sees what was counted."""

from __future__ import annotations

import struct
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.labs import tunnel
from tests.e2e.world import World, eventually

CHECKS = """\
  - {name: ping, ping: {from: siteA, to: 10.0.102.1, count: 5}, crosses: ["siteA:tun0", "siteB:tun1"]}
  - {name: ping-back, ping: {from: siteB, to: 10.0.101.1, count: 5}, crosses: ["siteB:tun1", "siteA:tun0"]}
  - name: tcp
    nc: {from: siteA, to: siteB, address: 10.0.102.1, port: 8000, send: "Hello from A", reply: "Hello from B"}
    crosses: ["siteA:tun0", "siteB:tun1"]
  - name: udp-back
    nc: {from: siteB, to: siteA, address: 10.0.101.1, port: 8000, protocol: udp, send: "Hello", reply: "Hello yourself"}
    crosses: ["siteB:tun1", "siteA:tun0"]
"""
# What socat is told of the two sites: device, own address, peer.
ENDS = {"siteA": ("tun0", "192.0.2.1", "192.0.2.2"), "siteB": ("tun1", "192.0.2.2", "192.0.2.1")}
MISSING = {"siteA": "ttun_a", "siteB": "ttun_b"}
SHAPES = {
    "unconnected": "UDP4-DATAGRAM:{peer}:9000,bind={own}:9000",
    "connected": "UDP4:{peer}:9000,bind={own}:9000",
}


def socat(here: World, site: str, shape: str) -> subprocess.Popen[str]:
    """Start socat as the end of the tunnel in a site, and wait until it has both of its ports."""
    device, own, peer = ENDS[site]
    started = here.start_labctl(
        "exec", site, "--", "socat", "-d", "-d", f"TUN,tun-name={device},tun-type=tun,iff-no-pi,iff-up",
        SHAPES[shape].format(own=own, peer=peer),
        stderr=subprocess.PIPE,
    )  # fmt: skip
    assert started.stderr is not None
    for line in started.stderr:
        if "starting data transfer loop" in line:
            return started
    raise AssertionError("socat ended before it forwarded anything")


def numbers(here: World, site: str) -> dict[str, int]:
    device = ENDS[site][0]
    link = here.json("status")["namespaces"][site]["interfaces"][device]
    return {name: link["counters"][name] for name in ("rx_packets", "tx_packets")}


@pytest.mark.parametrize("site", ["siteA", "siteB"])
@pytest.mark.parametrize("shape", SHAPES)
def test_socat_is_the_other_end(here: World, site: str, shape: str) -> None:
    here.labctl("up", here.file("tunnel.yaml", tunnel(**{MISSING[site]: "", "checks": CHECKS})))
    ended = socat(here, site, shape)
    verdict = here.json("verify")
    assert verdict["passed"], verdict
    (engine,) = here.json("status")["engines"]
    counted = engine["counters"]
    link = numbers(here, site)
    assert counted["tun_read_packets"] == counted["udp_sent_packets"] == link["rx_packets"]
    assert counted["udp_received_packets"] == counted["tun_written_packets"] == link["tx_packets"]
    assert not any(count for name, count in counted.items() if name.startswith(("in_", "out_")))
    here.labctl("down")
    ended.wait()


def test_socat_and_ttun_agree_on_five_pings_exactly(here: World) -> None:
    here.labctl("up", here.file("tunnel.yaml", tunnel(ttun_b="")))
    ended = socat(here, "siteB", "connected")
    here.labctl("exec", "siteA", "--", "ping", "-c", "5", "-i", "0.05", "10.0.102.1")
    (engine,) = here.json("status")["engines"]
    assert {
        engine["counters"][f"{name}_packets"] for name in ("tun_read", "udp_sent", "udp_received", "tun_written")
    } == {5}
    assert numbers(here, "siteB") == {"rx_packets": 5, "tx_packets": 5}
    here.labctl("down")
    ended.wait()


def udp_payloads(capture: bytes) -> list[bytes]:
    """The payloads in a pcap file of Ethernet frames (libpcap's file format; RFC 791, RFC 768)."""
    magic, link_type = struct.unpack_from("=I16xI", capture)
    assert (magic, link_type) == (0xA1B2C3D4, 1)
    payloads, at = [], 24
    while at < len(capture):
        captured, original = struct.unpack_from("=8xII", capture, at)
        assert captured == original
        packet = capture[at + 16 + 14 : at + 16 + captured]
        header = 4 * (packet[0] & 15)
        (length,) = struct.unpack_from("!H", packet, header + 4)
        payloads.append(packet[header + 8 : header + length])
        at += 16 + captured
    return payloads


def ended_capture(tcpdump: subprocess.Popen[Any], here: World) -> None:
    """End tcpdump as Ctrl-C does, so that it writes what it still holds."""
    for pid, title in here.processes():
        if title.startswith("tcpdump"):
            here.run("kill", "-INT", str(pid))
    tcpdump.wait()


def test_tcpdump_sees_exactly_the_datagrams_that_were_counted(as_root: World) -> None:
    as_root.labctl("up", as_root.file("tunnel.yaml", tunnel()))
    file = as_root.home / "wire.pcap"
    words = ["tcpdump", "-Z", "root", "-U", "-n", "-i", "wan0", "-w", str(file), "udp", "port", "9000"]
    tcpdump = as_root.start_labctl("exec", "siteA", "--", *words, stderr=subprocess.PIPE)
    assert tcpdump.stderr is not None
    assert any("listening on" in line for line in tcpdump.stderr)
    as_root.labctl("exec", "siteA", "--", "ping", "-c", "5", "-i", "0.05", "10.0.102.1")
    a, b = (engine["counters"] for engine in as_root.json("status")["engines"])
    assert (a["udp_sent_packets"], a["udp_received_packets"], b["udp_sent_packets"]) == (5, 5, 5)
    eventually(lambda: len(udp_payloads(whole(file))) >= 10, "tcpdump has written every datagram")
    ended_capture(tcpdump, as_root)
    payloads = udp_payloads(file.read_bytes())
    assert len(payloads) == 10
    assert sum(map(len, payloads)) == a["udp_sent_bytes"] + a["udp_received_bytes"]
    for payload in payloads:
        version_and_length, total, protocol = struct.unpack_from("!BxH5xB", payload)
        assert (version_and_length, total, protocol) == (0x45, len(payload), 1)
    as_root.labctl("down")


def whole(file: Path) -> bytes:
    """A pcap file that is being written, up to its last whole record."""
    capture = file.read_bytes()
    at = 24
    while at + 16 <= len(capture):
        (captured,) = struct.unpack_from("=8xI", capture, at)
        if at + 16 + captured > len(capture):
            break
        at += 16 + captured
    return capture[:at]
