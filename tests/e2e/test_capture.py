"""Seeing packets, without any right: as lines, and as a file that other programs read."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.e2e.labs import PAIR
from tests.e2e.world import DEADLINE, World, eventually


@pytest.fixture
def pair(here: World) -> Iterator[World]:
    here.labctl("up", here.file("pair.yaml", PAIR))
    yield here
    here.labctl("down")


def capturing(world: World, *words: str) -> subprocess.Popen[str]:
    """A capture that has begun."""
    process = world.start(
        world.command("capture", *words), stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
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
    tcpdump = shutil.which("tcpdump")
    if not tcpdump:
        pytest.skip("no tcpdump here")
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


def frames(pcap: bytes) -> Iterator[bytes]:
    """The frames of a pcap file."""
    at = 24
    while at < len(pcap):
        size = int.from_bytes(pcap[at + 8 : at + 12], sys.byteorder)
        yield pcap[at + 16 : at + 16 + size]
        at += 16 + size


MANY = """import socket
with socket.socket(type=socket.SOCK_DGRAM) as sender:
    for _ in range(1000):
        sender.sendto(bytes(1000), ("192.0.2.2", 9))
"""


def test_what_did_not_fit_is_told(pair: World) -> None:
    watching = capturing(pair, "left:eth0")
    os.killpg(watching.pid, signal.SIGSTOP)
    pair.labctl("exec", "left", "--", sys.executable, "-c", MANY)
    os.killpg(watching.pid, signal.SIGINT)
    os.killpg(watching.pid, signal.SIGCONT)
    seen, said = watching.communicate(timeout=DEADLINE)
    datagrams = seen.count("UDP")
    assert 0 < datagrams < 1000
    missed, _, rest = said.partition(" ")
    assert rest == "packets came faster than they could be shown, and are missing\n"
    assert datagrams + int(missed) >= 1000


def test_ctrl_c_is_heard_where_nobody_reads(pair: World) -> None:
    """The first asks it to end after what is seen, which it cannot show; the next ones end it."""
    watching = capturing(pair, "left:eth0", "--write", "-")
    pair.labctl("exec", "left", "--", sys.executable, "-c", MANY)

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
