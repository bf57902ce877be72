"""The fast ports: what is refused is sent again one by one, given up, and said once."""

from __future__ import annotations

import errno
import os
import socket
import struct
from collections import deque
from collections.abc import Iterator
from pathlib import Path

import pytest

from labctl.engine.batches.tun import BatchTun
from labctl.engine.counters import Counters
from labctl.engine.features import PAUSE, Feature, Features
from labctl.engine.forward import Forwarder
from labctl.engine.packets.address import Address
from labctl.engine.packets.routing_loop import OwnDatagrams
from labctl.engine.packets.train import Train
from labctl.engine.packets.vnet import EMPTY, LAYOUT
from labctl.engine.ports import MemoryPort
from labctl.engine.udp.offload import UDP_GRO, OffloadPeer

from .fuzz import fuzz
from .oracle import TCP, UDP, Segment
from .samples import PING
from .test_offload import NOISE, train_of
from .world import balance

ALL = ~Feature(0)


class Kernel:
    """What stands in for the device's system calls: frames to read, and errors for the next writes."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.waiting: deque[bytes] = deque()
        self.written: list[bytes] = []
        self.refusals: deque[int] = deque()
        monkeypatch.setattr(os, "readv", self.readv)
        monkeypatch.setattr(os, "writev", self.writev)
        monkeypatch.setattr(os, "write", lambda fd, frame: self.writev(fd, (frame,)))

    def readv(self, descriptor: int, buffers: tuple[bytearray, memoryview]) -> int:
        if not self.waiting:
            raise BlockingIOError(errno.EAGAIN, "")
        frame = self.waiting.popleft()
        buffers[0][:] = frame[:10]
        buffers[1][: len(frame) - 10] = frame[10:]
        return len(frame)

    def writev(self, descriptor: int, buffers: tuple[bytes, ...]) -> int:
        if self.refusals:
            raise OSError(self.refusals.popleft(), "")
        self.written.append(b"".join(bytes(each) for each in buffers))
        return 0


class Rig:
    """A forwarder with a fast TUN port between a stand-in kernel and a twin."""

    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel
        self.lines: list[str] = []
        self.counters = Counters.anonymous()
        self.features = Features(self.lines.append)
        self.features.show_in(self.counters.feature_cell)
        self.features.engage(ALL)
        self.tun, self.peer = BatchTun(-1), MemoryPort(whole=True)
        self.tun.features = self.features
        self.forwarder = Forwarder(
            self.tun,
            self.peer,
            self.peer,
            names=("tun0", "peer"),
            own=OwnDatagrams.between(Address("10.0.1.1", 9000), Address("10.0.2.1", 9000)),
            counters=self.counters,
        )

    def tun_to_peer(self) -> None:
        """Read until nothing waits."""
        while self.kernel.waiting:
            self.forwarder.tun_to_peer()


@pytest.fixture
def rig(monkeypatch: pytest.MonkeyPatch) -> Iterator[Rig]:
    rig = Rig(Kernel(monkeypatch))
    yield rig
    rig.peer.close()


def segments(protocol: int, number: int = 5) -> list[bytes]:
    whole = Segment(NOISE[: number * 100], protocol=protocol)
    return [each.packet() for each in whole.cut(100)]


def read_frame(whole: Segment, gso_size: int = 0) -> bytes:
    """What the device gives: a superframe, or a packet whose checksum is not finished."""
    header = whole.header(gso_size)
    return LAYOUT.pack(*(header if gso_size else header._replace(gso_type=0))) + whole.packet(partial=True)


def test_small_packets_leave_as_trains_in_their_order(rig: Rig) -> None:
    acks = [Segment(b"", sequence=number) for number in range(4)]
    sizes = [*segments(UDP, 3), PING, *segments(UDP, 2)]
    rig.kernel.waiting.extend([EMPTY + PING, *map(read_frame, acks)])
    rig.kernel.waiting.extend(EMPTY + each for each in sizes)
    rig.tun_to_peer()
    assert rig.peer.sent == [PING, *(each.packet() for each in acks), *sizes]
    assert rig.peer.calls == [1, 4, 3, 1, 2]
    assert balance(rig.counters)["tun_read_frames"] == len(rig.peer.sent)


def test_a_superframe_between_small_packets_keeps_its_place(rig: Rig) -> None:
    whole = Segment(NOISE[:950])
    rig.kernel.waiting.extend([EMPTY + PING, EMPTY + PING, read_frame(whole, 100), EMPTY + PING])
    rig.tun_to_peer()
    assert rig.peer.sent == [PING, PING, *(each.packet() for each in whole.cut(100)), PING]
    assert rig.peer.calls == [1, 1, 10, 1]
    now = balance(rig.counters)
    assert (now["tun_read_packets"], now["tun_read_frames"]) == (13, 4)


def test_superframes_that_are_alike_and_what_comes_behind_them_keep_their_places(rig: Rig) -> None:
    alike = [Segment(NOISE[at : at + 950], sequence=at) for at in range(0, 3000, 950)]
    longer, v6 = Segment(NOISE[:1000]), Segment(NOISE[:930], source="fd00::1", destination="fd00::2")
    for behind in ([longer], [v6], [Segment(NOISE[:50])], [longer, Segment(NOISE[:50])]):
        wholes = [*alike, *alike[:2], *behind]
        rig.kernel.waiting.extend(read_frame(each, 100 if len(each.payload) > 100 else 0) for each in wholes)
        rig.tun_to_peer()
        assert rig.peer.sent == [each.packet() for whole in wholes for each in whole.cut(100)]
        rig.peer.sent.clear()
    balance(rig.counters)


def test_an_unfinished_frame_that_cannot_be_finished_is_malformed(rig: Rig) -> None:
    rig.kernel.waiting.append(LAYOUT.pack(1, 3, 0, 100, 20, 16) + PING)
    rig.tun_to_peer()
    assert rig.peer.sent == []
    assert balance(rig.counters)["out_malformed"] == 1


def test_a_route_into_itself_is_noticed_in_a_train_too(rig: Rig) -> None:
    own = [Segment(NOISE[:99], UDP, "10.0.1.1", "10.0.2.1", (9000, 9000)).packet()] * 3
    rig.kernel.waiting.extend(EMPTY + each for each in [PING, *segments(UDP, 1), *own])
    rig.kernel.waiting.append(read_frame(Segment(NOISE[:300], UDP, "10.0.1.1", "10.0.2.1", (9000, 9000)), 100))
    rig.tun_to_peer()
    assert rig.peer.sent == [PING, *segments(UDP, 1)]
    assert balance(rig.counters)["out_routing_loop"] == 6


@pytest.mark.parametrize("protocol", [TCP, UDP])
def test_a_merged_write_that_is_refused_is_repeated_packet_by_packet(rig: Rig, protocol: int) -> None:
    packets = segments(protocol)
    rig.kernel.refusals.append(errno.EINVAL)
    for _ in range(2):
        rig.peer.arrive(train_of(packets))
        rig.forwarder.peer_to_tun()
    assert rig.kernel.written == [EMPTY + each for each in packets] * 2
    merge = Feature.UDP_MERGE if protocol == UDP else Feature.TCP_MERGE
    assert rig.counters.features == ALL & ~merge
    assert rig.lines == [f"{merge.words[0]} is off, and tried again later: Invalid argument (EINVAL)"]
    now = balance(rig.counters)
    assert now["tun_written_packets"] == now["tun_written_frames"] == 10


def test_a_link_that_is_down_costs_a_run_but_no_feature(rig: Rig) -> None:
    rig.kernel.refusals.append(errno.EIO)
    rig.peer.arrive(train_of(segments(TCP)))
    rig.forwarder.peer_to_tun()
    assert (rig.kernel.written, rig.counters.features, rig.lines) == ([], ALL, [])
    assert balance(rig.counters)["in_link_down"] == 5


def test_a_damaged_packet_in_a_train_is_written_alone_and_a_malformed_one_not_at_all(rig: Rig) -> None:
    packets = segments(TCP, 7)
    packets[2] = packets[2][:-1] + bytes([packets[2][-1] ^ 1])
    packets[5] = b"\0" + packets[5][1:]
    rig.peer.arrive(train_of(packets))
    rig.forwarder.peer_to_tun()
    assert [len(each) for each in rig.kernel.written] == [10 + 52 + 200, 10 + 152, 10 + 52 + 200, 10 + 152]
    assert rig.kernel.written[1] == EMPTY + packets[2]
    assert balance(rig.counters)["in_malformed"] == 1


class FakeSocket:
    """A socket whose sends in segments are refused."""

    family = socket.AF_INET

    def __init__(self, code: int, mtu: int = 1500) -> None:
        self.code, self.mtu = code, mtu
        self.sent: list[bytes] = []
        self.tried = 0
        self.arrived: list[OSError | tuple[bytes, list[tuple[int, int, bytes]], int]] = []

    def fileno(self) -> int:
        return -1

    def close(self) -> None:
        pass

    def setsockopt(self, level: int, option: int, value: int) -> None:
        if self.code == errno.ENOPROTOOPT:
            raise OSError(self.code, "")

    def getsockopt(self, level: int, option: int) -> int:
        return self.mtu

    def sendmsg(self, buffers: tuple[memoryview], ancillary: object) -> None:
        self.tried += 1
        raise OSError(self.code, "")

    def send(self, data: bytes) -> None:
        self.sent.append(bytes(data))

    def recvmsg_into(self, buffers: list[memoryview], size: int) -> tuple[int, list[tuple[int, int, bytes]], int, None]:
        if not self.arrived:
            raise BlockingIOError(errno.EAGAIN, "")
        arrival = self.arrived.pop(0)
        if isinstance(arrival, OSError):
            raise arrival
        data, ancillary, flags = arrival
        buffers[0][: len(data)] = data
        return len(data), ancillary, flags, None


def fast_peer(rig: Rig, fake: FakeSocket) -> OffloadPeer:
    peer = OffloadPeer(fake)  # type: ignore[arg-type]
    peer.engage(rig.features)
    rig.forwarder.peer = peer
    return peer


@pytest.mark.parametrize("code", [errno.EIO, errno.EINVAL, errno.EOPNOTSUPP])
def test_a_refused_send_in_segments_is_repeated_packet_by_packet(rig: Rig, code: int) -> None:
    fake = FakeSocket(code)
    fast_peer(rig, fake)
    packets = segments(TCP)
    rig.forwarder.send_out(train_of(packets))
    rig.forwarder.send_out(train_of(packets))
    assert (fake.sent, fake.tried) == (packets * 2, 1)
    assert rig.counters.features == ALL & ~Feature.UDP_SEGMENT
    assert len(rig.lines) == 1 and rig.lines[0].startswith("udp-segment is off")


@pytest.mark.parametrize("code", [errno.EMSGSIZE, errno.EINVAL])
def test_segments_over_the_mtu_go_singly_from_then_on_and_smaller_ones_do_not(rig: Rig, code: int) -> None:
    fake = FakeSocket(code, mtu=128)
    peer = fast_peer(rig, fake)
    packets = segments(TCP)
    for _ in range(2):
        rig.forwarder.send_out(train_of(packets))
    tried = fake.tried
    assert fake.sent == packets * 2
    assert (rig.counters.features, rig.lines) == (ALL, [])
    assert [each.number for each in peer.pieces(train_of(packets))] == [1] * 5
    assert [each.number for each in peer.pieces(train_of([packet[:100] for packet in packets]))] == [5]
    rig.forwarder.send_out(train_of(packets))
    assert fake.tried == tried


def test_segments_that_were_too_large_are_none_any_more_when_the_path_takes_them(rig: Rig) -> None:
    fake = FakeSocket(errno.EMSGSIZE, mtu=128)
    peer = fast_peer(rig, fake)
    train = train_of(segments(TCP))
    rig.forwarder.send_out(train)
    assert [each.number for each in peer.pieces(train)] == [1] * 5
    fake.mtu = 1500
    assert [each.number for each in peer.pieces(train)] == [5]


def test_what_was_given_up_is_tried_again_after_a_while_and_each_reason_said_once() -> None:
    now, lines = 0.0, list[str]()
    features = Features(lines.append, lambda: now)
    features.engage(Feature.UDP_SEGMENT | Feature.UDP_GRO)
    for _ in range(2):
        features.give_up(Feature.UDP_SEGMENT, OSError(errno.EIO, ""))
        assert not features.use(Feature.UDP_SEGMENT)
        assert features.now == Feature.UDP_GRO
        now += PAUSE
        assert features.use(Feature.UDP_SEGMENT)
        assert features.now == Feature.UDP_SEGMENT | Feature.UDP_GRO
    assert lines == ["udp-segment is off, and tried again later: Input/output error (EIO)"]
    assert not features.use(Feature.TCP_MERGE), "what was never engaged is not tried"
    features.give_up(Feature.UDP_SEGMENT, OSError(errno.EINVAL, ""))
    features.disengage(Feature.UDP_SEGMENT)
    now += PAUSE
    assert not features.use(Feature.UDP_SEGMENT)
    assert len(lines) == 2


def test_a_socket_that_knows_no_offload_has_none(rig: Rig) -> None:
    rig.features.now = Feature(0)
    peer = fast_peer(rig, FakeSocket(errno.ENOPROTOOPT))
    assert rig.features.now == Feature(0)
    assert [each.number for each in peer.pieces(train_of(segments(TCP)))] == [1] * 5


def test_what_was_received_as_one_is_many_again(rig: Rig) -> None:
    fake = FakeSocket(0)
    fast_peer(rig, fake)
    packets = [*segments(TCP, 4), segments(TCP, 5)[4][:-40]]
    size = [(socket.IPPROTO_UDP, UDP_GRO, struct.pack("=i", len(packets[0])))]
    fake.arrived = [(b"".join(packets), size, 0), (PING, [], 0), (b"", [], 0)]
    while fake.arrived:
        rig.forwarder.peer_to_tun()
    now = balance(rig.counters)
    assert (now["udp_received_packets"], now["tun_written_packets"], now["in_empty"]) == (7, 5, 1)


def test_a_train_is_no_lone_packet_whatever_came_before_it(rig: Rig) -> None:
    fake = FakeSocket(0)
    fast_peer(rig, fake)
    beside = [(socket.IPPROTO_UDP, UDP_GRO, struct.pack("=i", len(PING)))]
    fake.arrived = [(PING, beside, 0), (PING * 3, beside, 0)]
    while fake.arrived:
        rig.forwarder.peer_to_tun()
    assert balance(rig.counters)["tun_written_packets"] == 4


def test_a_fault_behind_trains_is_counted_and_they_are_delivered(rig: Rig) -> None:
    fake = FakeSocket(0)
    fast_peer(rig, fake)
    packets = segments(TCP)
    size = [(socket.IPPROTO_UDP, UDP_GRO, struct.pack("=i", len(packets[0])))]
    fake.arrived = [(b"".join(packets), size, 0), (b"".join(packets), size, 0), OSError(errno.ECONNREFUSED, "")]
    for _ in range(3):
        rig.forwarder.peer_to_tun()
    now = balance(rig.counters)
    assert (now["tun_written_packets"], now["icmp_errors"]) == (10, 1)


def test_a_lost_size_is_a_malformed_packet_and_the_end_of_receiving_many(rig: Rig) -> None:
    fake = FakeSocket(0)
    fast_peer(rig, fake)
    fake.arrived = [(b"".join(segments(TCP)), [], socket.MSG_CTRUNC)]
    rig.forwarder.peer_to_tun()
    assert balance(rig.counters)["in_malformed"] == 1
    assert Feature.UDP_GRO not in rig.counters.features


def test_features_are_read_from_the_file(tmp_path: Path) -> None:
    with Counters.create(tmp_path / "a") as writer, Counters.open(tmp_path / "a") as reader:
        features = Features()
        features.show_in(writer.feature_cell)
        features.engage(Feature.UDP_GRO | Feature.TCP_MERGE)
        assert reader.features.words == ["udp-gro", "tcp-merge"]
        assert sum(reader.snapshot().values()) == 0


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6])
def test_a_train_crosses_real_sockets(family: socket.AddressFamily) -> None:
    host = "127.0.0.1" if family == socket.AF_INET else "::1"
    with socket.socket(family, socket.SOCK_DGRAM) as left, socket.socket(family, socket.SOCK_DGRAM) as right:
        left.bind((host, 0))
        right.bind((host, 0))
        left.connect(right.getsockname()[:2])
        right.connect(left.getsockname()[:2])
        right.settimeout(5)
        sender, receiver = OffloadPeer(left), OffloadPeer(right)
        for port in (sender, receiver):
            port.engage(Features())
        packets = [bytes([number]) * 1400 for number in range(60)] + [b"end"]
        for piece in sender.pieces(train_of(packets)):
            sender.send(piece)
        got: list[bytes] = []
        while len(got) < len(packets):
            got += [bytes(each) for train in receiver.receive() if isinstance(train, Train) for each in train.packets()]
        assert got == packets


def test_hostile_datagrams_in_trains_are_accounted_for() -> None:
    assert fuzz(5000, seed=1) > 100
