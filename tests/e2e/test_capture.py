"""Seeing packets, without any right: as lines, and as a file that other programs read."""

from __future__ import annotations

import json
import os
import signal
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.labs import PAIR, tunnel
from tests.e2e.world import DEADLINE, World, eventually
from tests.programs import needed


@pytest.fixture
def pair(here: World) -> Iterator[World]:
    here.labctl("up", here.file("pair.yaml", PAIR))
    yield here
    here.labctl("down")


def capturing(world: World, *words: str) -> subprocess.Popen[str]:
    """A capture that has begun."""
    process = world.start_labctl(
        "capture", *words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
    )
    assert process.stderr and "watching" in process.stderr.readline()
    return process


def test_a_ping_is_seen_on_its_way_and_back(pair: World) -> None:
    watching = capturing(pair, "left:eth0")
    pair.labctl("exec", "left", "--", "ping", "-c", "1", "192.0.2.2")
    os.killpg(watching.pid, signal.SIGINT)  # as Ctrl-C does
    seen, _ = watching.communicate(timeout=DEADLINE)
    way, back = (line.split(maxsplit=2)[1:] for line in seen.splitlines() if "ICMP echo" in line)
    assert way == ["out", "192.0.2.1 > 192.0.2.2 ICMP echo request, 84 bytes"]
    assert back == ["in", "192.0.2.2 > 192.0.2.1 ICMP echo reply, 84 bytes"]
    assert watching.returncode == 0


def test_it_ends_after_as_many_packets_as_were_asked_for(pair: World) -> None:
    watching = capturing(pair, "left:eth0", "--count", "2")
    pair.labctl("exec", "left", "--", "ping", "-c", "1", "192.0.2.2")
    seen, _ = watching.communicate(timeout=DEADLINE)
    assert (watching.returncode, len(seen.splitlines())) == (0, 2)


def test_a_file_is_read_by_tcpdump(pair: World) -> None:
    tcpdump = needed("tcpdump")
    file = pair.home / "seen.pcap"
    watching = capturing(pair, "left:eth0", "--write", str(file))
    pair.labctl("exec", "left", "--", "ping", "-c", "2", "-i", "0.2", "192.0.2.2")
    os.killpg(watching.pid, signal.SIGINT)  # as Ctrl-C does
    _, said = watching.communicate(timeout=DEADLINE)
    assert (watching.returncode, said) == (0, "")
    told = subprocess.run([tcpdump, "-n", "-r", str(file)], capture_output=True, text=True, check=True).stdout
    assert told.count("ICMP echo request") == told.count("ICMP echo reply") == 2


def test_what_crossed_before_ctrl_c_is_seen_however_late(pair: World) -> None:
    watching = capturing(pair, "left:eth0")
    os.killpg(watching.pid, signal.SIGSTOP)  # as on a busy machine, where it does not get its turn
    pair.labctl("exec", "left", "--", "ping", "-c", "2", "-i", "0.2", "192.0.2.2")
    os.killpg(watching.pid, signal.SIGINT)
    os.killpg(watching.pid, signal.SIGCONT)
    seen, said = watching.communicate(timeout=DEADLINE)
    assert (watching.returncode, said, seen.count("ICMP echo")) == (0, "", 4)


UDP = bytes.fromhex("4500001c00000000401100000a0000010a0000020007000900080000")
TAGGED = {
    "10.0.0.1:7": "0800",
    "VLAN 5  10.0.0.1:7": "810000050800",
    "VLAN 0  10.0.0.1:7": "8100e0000800",  # a priority alone
    "VLAN 4095  10.0.0.1:7": "8100ffff0800",
    "VLAN 100  VLAN 5  10.0.0.1:7": "88a80064810000050800",
    "VLAN 7  VLAN 7  VLAN 7  10.0.0.1:7": "8100000788a80007810000070800",
    "VLAN 5  ARP": "810000050806",
    "VLAN 5  EtherType 0x88cc": "8100000588cc",
}
SENDING = """import socket, sys
with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as sender:
    sender.bind(("eth0", 0))
    for frame in sys.argv[1:]:
        sender.send(bytes.fromhex(frame))
"""


def test_a_vlan_tag_is_seen_and_written_as_it_was_sent(pair: World) -> None:
    """The kernel takes the tag out of what arrives, also without a driver for VLANs."""
    sent = [bytes.fromhex("ffffffffffff020000000001" + tag) + UDP for tag in TAGGED.values()]
    count = ("--count", str(len(sent)))
    lines = [capturing(pair, interface, *count) for interface in ("left:eth0", "right:eth0")]
    file = pair.home / "seen.pcap"
    writing = capturing(pair, "right:eth0", *count, "--write", str(file))
    pair.labctl("exec", "left", "--", sys.executable, "-c", SENDING, *(frame.hex() for frame in sent))
    for watching, direction in zip(lines, ("out", "in"), strict=True):
        told = watching.communicate(timeout=DEADLINE)[0].splitlines()
        for line, words in zip(told, TAGGED, strict=True):
            assert line.split(maxsplit=1)[1].startswith(f"{direction:3}  {words}")
    writing.communicate(timeout=DEADLINE)
    assert list(frames(file.read_bytes())) == sent


def frames(pcapng: bytes) -> Iterator[bytes]:
    """The frames of a pcapng file, which are in its enhanced packet blocks."""
    at = 0
    while at < len(pcapng):
        kind, length, *_, captured, _ = struct.unpack_from("=IIIIIII", pcapng.ljust(at + 28), at)
        if kind == 6:
            yield pcapng[at + 28 : at + 28 + captured]
        at += length


MANY = """import socket, sys
with socket.socket(type=socket.SOCK_DGRAM) as sender:
    for _ in range(int(sys.argv[1])):
        sender.sendto(bytes(1000), ("192.0.2.2", 9))
"""


def test_what_did_not_fit_is_told(pair: World) -> None:
    watching = capturing(pair, "left:eth0")
    os.killpg(watching.pid, signal.SIGSTOP)
    pair.labctl("exec", "left", "--", sys.executable, "-c", MANY, "50000")
    os.killpg(watching.pid, signal.SIGINT)
    os.killpg(watching.pid, signal.SIGCONT)
    seen, said = watching.communicate(timeout=DEADLINE)
    datagrams = seen.count("UDP")
    assert 0 < datagrams < 50000
    missed, _, rest = said.partition(" ")
    assert rest == "packets came faster than they could be shown, and are missing\n"
    assert datagrams + int(missed) >= 50000


def test_ctrl_c_is_heard_where_nobody_reads(pair: World) -> None:
    """The first asks it to end after what is seen, which it cannot show; the next ones end it."""
    watching = capturing(pair, "left:eth0", "--write", "-")
    pair.labctl("exec", "left", "--", sys.executable, "-c", MANY, "1000")

    def ends() -> bool:
        os.killpg(watching.pid, signal.SIGINT)
        return watching.poll() is not None

    eventually(ends, "it ends")


def test_what_is_not_there_is_said(pair: World) -> None:
    for words, told in ((["left:nothing0"], "no interface 'nothing0'"), (["lft:eth0"], "did you mean left:eth0?")):
        said = pair.labctl("capture", *words, code=2).stderr
        assert told in said and len(said.splitlines()) <= 3


def test_an_interface_that_goes_away_ends_it_with_words(pair: World) -> None:
    watching = capturing(pair, "left:eth0")
    pair.labctl("exec", "left", "--", "ip", "link", "del", "eth0")
    _, said = watching.communicate(timeout=DEADLINE)
    assert watching.returncode == 4 and "nothing more to see" in said


@pytest.fixture
def tunnelled(here: World) -> Iterator[World]:
    here.labctl("up", here.file("tunnel.yaml", tunnel()))
    yield here
    here.labctl("down")


def fields(file: Path, names: str, *options: str) -> list[list[str]]:
    """Of every packet of a file what tshark says."""
    wanted = [word for name in names.split() for word in ("-e", name)]
    command = [needed("tshark"), "-r", str(file), "-T", "fields", *wanted, *options]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return [line.split("\t") for line in told.splitlines()]


WAY = [("siteA:tun0", "out"), ("siteA:wan0", "out"), ("siteB:wan0", "in"), ("siteB:tun1", "in")]


def test_a_whole_lab_is_one_file_that_wireshark_understands(tunnelled: World) -> None:
    file = tunnelled.home / "lab.pcapng"
    watching = capturing(tunnelled, "--filter", "icmp or udp", "--count", "8", "--write", str(file))
    assert watching.stderr and f"tshark -r {file} -X lua_script:{file}.lua" in watching.stderr.readline()
    tunnelled.labctl("exec", "siteA", "--", "ping", "-c", "1", "10.0.102.1")
    assert watching.wait(DEADLINE) == 0
    seen = fields(file, "frame.interface_name frame.interface_description frame.packet_flags_direction")
    request = [(name, {"0x00000001": "in", "0x00000002": "out"}[direction]) for name, _, direction in seen[:4]]
    assert request == WAY
    assert seen[0][1] == "interface tun0 of namespace siteA, tunnel from 192.0.2.1:9000 to 192.0.2.2:9000"
    script = ("-X", f"lua_script:{file}.lua")
    for decoding in (script, ("-d", "udp.port==9000,ip")):
        inner = [each[0].split(",")[-1] for each in fields(file, "ip.src", *decoding)]
        assert inner == ["10.0.101.1"] * 4 + ["10.0.102.1"] * 4
    comments = [each[0] for each in fields(file, "frame.comment")]
    assert comments[1] == "carries 10.0.101.1 > 10.0.102.1 ICMP echo request, 84 bytes" and comments[0] == ""
    times = [each[0].partition(".")[2] for each in fields(file, "frame.time_epoch")]
    assert len(times[0]) == 9 and any(not time.endswith("000") for time in times)


def test_what_a_superframe_of_a_tunnel_carries_is_decoded(tunnelled: World) -> None:
    file = tunnelled.home / "lab.pcapng"
    watching = capturing(tunnelled, "siteA:wan0", "--write", str(file), "--filter", "greater 5000", "-c", "3")
    receive = "nc -l 10.0.102.1 7000 > /dev/null & echo ready; wait"
    with tunnelled.start_labctl(
        *("exec", "siteB", "--", "sh", "-c", receive), stdout=subprocess.PIPE, stdin=subprocess.DEVNULL
    ) as receiver:
        assert receiver.stdout and receiver.stdout.readline()
        send = "until head -c 3000000 /dev/zero | nc -N 10.0.102.1 7000; do sleep 0.1; done"
        tunnelled.labctl("exec", "siteA", "--", "sh", "-c", send)
    watching.communicate(timeout=DEADLINE)
    inner = fields(file, "ip.src tcp.srcport", "-X", f"lua_script:{file}.lua")
    assert all(addresses.count("10.0.101.1") > 1 for addresses, _ in inner) and len(inner) == 3


def test_a_filter_asks_for_what_tcpdump_asks_for(tunnelled: World) -> None:
    watching = capturing(tunnelled, "--filter", "arp or (icmp and icmp[icmptype] == icmp-echoreply)", "-c", "2")
    tunnelled.labctl("exec", "siteA", "--", "ping", "-c", "1", "10.0.102.1")
    shown, _ = watching.communicate(timeout=DEADLINE)
    assert [line.split()[1] for line in shown.splitlines()] != [] and "request" not in shown
    for words, told in (("bogus", "can't parse filter"), ("vlan 5", "takes the tag out")):
        assert told in tunnelled.labctl("capture", "--filter", words, code=2).stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_in_the_background_a_signal_ends_it_with_a_whole_file(tunnelled: World, number: signal.Signals) -> None:
    """A shell starts what it puts into the background deaf to Ctrl-C, and kill(1) reaches one process of it."""

    def deaf() -> None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)

    file = tunnelled.home / "lab.pcapng"
    watching = tunnelled.start(
        tunnelled.command("capture", "-w", str(file)),
        deaf,
        stderr=subprocess.PIPE,
    )
    assert watching.stderr and "watching every interface of lab tunnel" in watching.stderr.readline()
    tunnelled.labctl("exec", "siteA", "--", "ping", "-c", "2", "-i", "0.2", "10.0.102.1")
    watching.send_signal(number)
    assert watching.wait(DEADLINE) == 0
    assert len([each for each in fields(file, "icmp.type") if each[0]]) == 8


def test_timeout_ends_it_as_one_signal_does(tunnelled: World) -> None:
    """It sends SIGTERM to the whole group of its process."""
    file = tunnelled.home / "lab.pcapng"
    watching = capturing(tunnelled, "-w", str(file))
    tunnelled.labctl("exec", "siteA", "--", "ping", "-c", "1", "10.0.102.1")
    eventually(lambda: len(list(frames(file.read_bytes()))) >= 8, "the ping is in the file")
    os.killpg(watching.pid, signal.SIGTERM)
    assert "nothing more" not in watching.communicate(timeout=DEADLINE)[1]
    assert watching.returncode == 0


def test_a_full_disk_behind_standard_output_is_told(pair: World) -> None:
    with open("/dev/full", "w") as full:
        said = pair.labctl("capture", "-w", "-", "--duration", "0.1", stdout=full, code=1).stderr
    assert "standard output could not be written to its end" in said and "(ENOSPC)" in said


@pytest.mark.parametrize("span", ["nan", "inf", "-1", "soon"])
def test_a_time_without_an_end_is_refused(pair: World, span: str) -> None:
    assert "'--duration'" in pair.labctl("capture", "--duration", span, code=2).stderr


def test_it_ends_after_the_time_that_was_asked_for(pair: World) -> None:
    assert pair.labctl("capture", "left:eth0", "right", "--duration", "0.1").stdout == ""


def test_a_file_is_not_blamed_for_the_standard_output(pair: World) -> None:
    with open("/dev/full", "w") as full:
        words = ("trace", "--pcapng", str(pair.home / "trace.pcapng"), "left", "--", "true")
        assert "trace.pcapng" not in pair.labctl(*words, stdout=full, code=1).stderr


def test_it_ends_with_the_lab(here: World) -> None:
    here.labctl("up", here.file("pair.yaml", PAIR))
    watching = capturing(here)
    here.labctl("down")
    _, said = watching.communicate(timeout=DEADLINE)
    assert watching.returncode == 4 and "nothing more to see" in said


def test_the_frames_of_a_trace_are_a_file_with_what_became_of_them(tunnelled: World) -> None:
    file = tunnelled.home / "trace.pcapng"
    tunnelled.labctl("exec", "siteA", "--", "ping", "-c", "1", "10.0.102.1")
    tunnelled.labctl("trace", "--pcapng", str(file), "siteA", "--", "ping", "-c", "1", "10.0.102.1")
    request = fields(file, "frame.interface_name frame.comment")[:4]
    assert request[0] == ["siteA:tun0", "packet 1 transmitted by 10.0.102.0/24 dev tun0"]
    assert request[3] == ["siteB:tun1", "packet 1 received, accepted: answered by packet 2"]


def test_a_program_reads_a_line_of_json_for_each_packet(tunnelled: World) -> None:
    watching = capturing(tunnelled, "-f", "json", "--filter", "icmp or udp", "-c", "2")
    tunnelled.labctl("exec", "siteA", "--", "ping", "-c", "1", "10.0.102.1")
    inner, outer = map(json.loads, watching.communicate(timeout=DEADLINE)[0].splitlines())
    assert [header["source"] for header in outer["headers"]] == ["192.0.2.1", "10.0.101.1"]
    assert (inner["namespace"], inner["interface"], inner["direction"]) == ("siteA", "tun0", "out")
    assert inner["headers"][0]["transport"]["name"] == "echo request"


def test_a_file_that_cannot_be_written_is_said_before_anything_runs(pair: World) -> None:
    for words in (["capture", "-w", "/none/x"], ["trace", "--pcapng", "/none/x", "left", "--", "echo", "hello"]):
        done = pair.labctl(*words, code=2)
        assert "/none/x cannot be written" in done.stderr and "hello" not in done.stdout
    assert "name a file" in pair.labctl("trace", "--pcapng", "-", "left", "--", "true", code=2).stderr
