"""Congestion marks go in and out of the tunnel as RFC 6040 says: by bytes, through sockets, and on the kernel."""

from __future__ import annotations

import hashlib
import random
import socket
from collections.abc import Callable
from contextlib import closing
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labctl.engine.counters import Counters
from labctl.engine.features import Features
from labctl.engine.packets.ecn import CE, ECT0, ECT1, NOT_ECT, by_ecn, changes, ecn_of, hand_on
from labctl.engine.packets.train import Train
from labctl.engine.udp.offload import OffloadPeer
from labctl.engine.udp.peer import UdpPeer

from .conftest import INSIDE, Sites, connection, transfer
from .oracle import ones_sum
from .samples import PING, ipv4, ipv6, udp
from .test_forward import Rig
from .world import Namespace, balance, settled

# RFC 6040, figure 4: what comes of an inner field under each outer one. None is a drop.
TABLE = {
    (NOT_ECT, NOT_ECT): NOT_ECT,
    (NOT_ECT, ECT0): NOT_ECT,
    (NOT_ECT, ECT1): NOT_ECT,
    (NOT_ECT, CE): None,
    (ECT0, NOT_ECT): ECT0,
    (ECT0, ECT0): ECT0,
    (ECT0, ECT1): ECT1,
    (ECT0, CE): CE,
    (ECT1, NOT_ECT): ECT1,
    (ECT1, ECT0): ECT1,
    (ECT1, ECT1): ECT1,
    (ECT1, CE): CE,
    (CE, NOT_ECT): CE,
    (CE, ECT0): CE,
    (CE, ECT1): CE,
    (CE, CE): CE,
}


def marked(packet: bytes, ecn: int, dscp: int = 0) -> bytes:
    """The packet with another traffic class; the checksum of an IPv4 header without options made right."""
    octet = dscp << 2 | ecn
    if packet[0] >> 4 == 6:
        return bytes([6 << 4 | octet >> 4, (octet & 15) << 4 | packet[1] & 15]) + packet[2:]
    bare = packet[:1] + bytes([octet]) + packet[2:10] + b"\0\0" + packet[12:]
    return bare[:10] + (0xFFFF - ones_sum(bare[:20])).to_bytes(2) + bare[12:]


packets = st.builds(
    lambda make, data, ecn, dscp: marked(make(data), ecn, dscp),
    st.sampled_from([lambda data: ipv4("10.0.0.1", "10.0.0.2", 17, data), lambda data: ipv6("::1", "::2", 17, data)]),
    st.binary(max_size=40),
    st.integers(0, 3),
    st.integers(0, 63),
)


@given(packets, st.integers(0, 3))
def test_a_mark_is_handed_on_by_the_table_and_nothing_else_is_touched(packet: bytes, outer: int) -> None:
    inner = ecn_of(packet)
    octet = packet[1] if packet[0] >> 4 == 4 else (packet[0] & 15) << 4 | packet[1] >> 4
    wanted = TABLE[inner, outer]
    changed = bytearray(packet)
    assert hand_on(memoryview(changed), outer) is (wanted is not None)
    assert changed == (packet if wanted is None else marked(packet, wanted, octet >> 2))
    if not changes(outer):
        assert wanted == inner


def test_a_wrong_checksum_stays_wrong_and_a_malformed_packet_as_it_is() -> None:
    wrong = bytearray(marked(PING, ECT0))
    wrong[10] ^= 1
    hand_on(memoryview(wrong), CE)
    assert ecn_of(wrong) == CE
    assert ones_sum(bytes(wrong[:20])) != 0xFFFF
    for malformed in (b"", b"\x45", marked(PING, NOT_ECT)[:-1], bytes(40)):
        kept = bytearray(malformed)
        assert hand_on(memoryview(kept), CE)
        assert kept == malformed


@given(st.lists(st.tuples(st.sampled_from([4, 6]), st.integers(0, 3)), min_size=2, max_size=9), st.integers(1, 3))
def test_a_train_is_cut_where_the_field_changes_and_only_there(fields: list[tuple[int, int]], each: int) -> None:
    kinds = {4: ipv4("10.0.0.1", "10.0.0.2", 17, bytes(40)), 6: ipv6("::1", "::2", 17, bytes(20))}
    came = [marked(kinds[version], ecn) for version, ecn in fields for _ in range(each)]
    runs = list(by_ecn(Train(memoryview(b"".join(came)), 60, len(came), len(fields))))
    assert [bytes(packet) for run in runs for packet in run.packets()] == came
    seen = [{ecn_of(packet) for packet in run.packets()} for run in runs]
    assert all(len(each) == 1 for each in seen)
    assert all(left != right for left, right in pairwise(seen))


def test_a_packet_that_is_not_ecn_capable_is_dropped_alone_under_a_mark() -> None:
    came = [marked(PING, ecn) for ecn in (ECT0, NOT_ECT, CE)]
    with closing(Rig()) as rig:
        rig.peer.arrive(Train(memoryview(bytearray(b"".join(came))), len(PING), 3, ecn=CE))
        rig.peer.arrive(Train(memoryview(bytearray(came[0] * 2)), len(PING), 2, ecn=ECT1))
        rig.move()
        assert rig.tun.sent == [marked(PING, CE)] * 2 + [marked(PING, ECT1)] * 2
        assert balance(rig.counters)["in_not_ecn_capable"] == 1


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
@pytest.mark.parametrize("kind", [UdpPeer, OffloadPeer])
def test_each_datagram_has_the_field_of_its_packet_and_is_read_with_it(host: str, kind: type[UdpPeer]) -> None:
    """Through real sockets, alone and in trains: what was marked comes as a train that says so."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    left, right = (udp_socket(family, host) for _ in range(2))
    left.connect(right.getsockname()[:2])
    right.connect(left.getsockname()[:2])
    with closing(kind(left)) as sender, closing(kind(right)) as receiver:
        for port in (sender, receiver):
            port.engage(Features())
        fields = [NOT_ECT, ECT0, ECT0, ECT0, CE, CE, ECT1, NOT_ECT, NOT_ECT]
        came = [marked(PING, ecn, dscp=46) for ecn in fields]
        for piece in sender.pieces(Train(memoryview(b"".join(came)), len(PING), len(came), len(came))):
            sender.send(piece)
        got: list[tuple[bytes, int]] = []
        while len(got) < len(came):
            arrived = receiver.receive()
            trains = arrived if isinstance(arrived, list) else [Train.of(arrived)]
            got += [(bytes(packet), train.ecn) for train in trains for packet in train.packets()]
    assert [packet for packet, _ in got] == came
    # Of fields that change nothing it need not be said which one it was.
    assert [ecn if changes(ecn) else 0 for _, ecn in got] == [ecn if changes(ecn) else 0 for ecn in fields]


def udp_socket(family: socket.AddressFamily, host: str, port: int = 0) -> socket.socket:
    """A socket that is told the traffic class of what comes."""
    made = socket.socket(family, socket.SOCK_DGRAM)
    made.settimeout(5)
    made.bind((host, port))
    if family == socket.AF_INET6:
        made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVTCLASS, 1)
    else:
        made.setsockopt(socket.IPPROTO_IP, socket.IP_RECVTOS, 1)
    return made


@pytest.mark.root
@pytest.mark.parametrize("options", [(), ("--no-offload",)])
def test_marks_of_the_underlay_reach_the_receiver(sites: Sites, tmp_path: Path, options: tuple[str, ...]) -> None:
    """A peer made by hand sees the outer field; what it marks is what the packet has when it comes out."""
    sites.a.ttun("tun0", "192.0.2.1", 9000, "192.0.2.2", 9000, "--counters", tmp_path / "a", *options)
    peer = sites.b.call(lambda: udp_socket(socket.AF_INET, "192.0.2.2", 9000))
    inside = sites.a.call(lambda: udp_socket(socket.AF_INET, "10.0.101.1", 5000))
    with closing(peer), closing(inside), Counters.open(tmp_path / "a") as counters:
        for ecn in (ECT1, NOT_ECT, CE, ECT0):
            inside.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, 46 << 2 | ecn)
            inside.sendto(b"out", ("10.0.102.1", 7))
            data, ancillary, _, _ = peer.recvmsg(2048, 64)
            assert ancillary[0][2][0] == ecn, "the outer DSCP is 0, the ECN field that of the packet"
            assert data[1] == 46 << 2 | ecn
        for (inner, outer), wanted in TABLE.items():
            peer.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, outer)
            packet = ipv4("10.0.102.1", "10.0.101.1", 17, udp(7, 5000, bytes([inner])))
            peer.sendto(marked(packet, inner, dscp=10), ("192.0.2.1", 9000))
            if wanted is not None:
                data, ancillary, _, _ = inside.recvmsg(2048, 64)
                assert (data, ancillary[0][2][0]) == (bytes([inner]), 10 << 2 | wanted)
        settled(counters, in_not_ecn_capable=1, tun_written_packets=len(TABLE) - 1)


@pytest.mark.root
def test_tcp_slows_down_for_marks_of_the_underlay_and_loses_nothing(
    sites: Sites, counters: Callable[..., tuple[Counters, Counters]]
) -> None:
    """One datagram in ten is marked on its way, whole trains among them, and TCP's sender hears of it."""
    both = counters()
    sites.a.shell("echo 1 > /proc/sys/net/ipv4/tcp_ecn")
    sites.a.shell(
        """nft add table ip marking
        nft 'add chain ip marking out { type filter hook postrouting priority 0; }'
        nft add rule ip marking out udp dport 9000 ip ecn ect0 numgen random mod 10 == 0 ip ecn set ce"""
    )
    client, server = connection(sites, INSIDE[4])
    data = random.Random(4).randbytes(8 << 20)
    with client, server:
        assert transfer(client, server, data) == hashlib.sha256(data).hexdigest()
    assert netstat(sites.a, "TCPDeliveredCE") > 0
    for each in both:
        assert settled(each)["in_not_ecn_capable"] == 0


def netstat(site: Namespace, name: str) -> int:
    """A number of /proc/net/netstat."""
    names, numbers = (line.split() for line in site.shell("grep ^TcpExt /proc/net/netstat").splitlines())
    return int(numbers[names.index(name)])
