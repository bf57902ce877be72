"""Split and coalesce against the slow way: nothing is lost, changed, reordered or laundered."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labctl.engine.batches import coalesce
from labctl.engine.batches.checksums import Rows, row_sums
from labctl.engine.batches.split import Splitter, finish, kind_of
from labctl.engine.packets import split as alone
from labctl.engine.packets.split import NotSplittable
from labctl.engine.packets.train import MOST_BYTES, MOST_PACKETS, Train
from labctl.engine.packets.vnet import NEEDS_CSUM, VnetHeader

from .oracle import ACK, CWR, FIN, PSH, TCP, UDP, Segment, is_right, ones_sum

hosts = st.sampled_from([("10.0.101.1", "10.0.102.1"), ("fd00::1", "fd00::2")])
NOISE = random.Random(7).randbytes(8000)
bodies = st.tuples(st.integers(0, 3999), st.integers(1, 4000)).map(lambda at: NOISE[at[0] : sum(at)])


def segments(**fixed: object) -> st.SearchStrategy[Segment]:
    """Superframes of all kinds, with numbers that are about to wrap around more often than not."""
    fields: dict[str, st.SearchStrategy[Any]] = {
        "payload": bodies,
        "protocol": st.sampled_from([TCP, UDP]),
        "id": st.integers(0, 65535) | st.integers(65500, 65535),
        "sequence": st.integers(0, 2**32 - 1) | st.integers(2**32 - 9000, 2**32 - 1),
        "flags": st.sampled_from([ACK, ACK | PSH, ACK | FIN | PSH, ACK | CWR, ACK | CWR | PSH]),
        "options": st.sampled_from([b"", bytes((1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2)), bytes(40)]),
    }
    given_fields = {name: st.just(value) for name, value in fixed.items()}

    def build(drawn: tuple[tuple[str, str], dict[str, object]]) -> Segment:
        ends, values = drawn
        return Segment(source=ends[0], destination=ends[1], **values)  # type: ignore[arg-type]

    return st.tuples(hosts, st.fixed_dictionaries({**fields, **given_fields})).map(build)


def train_of(packets: list[bytes]) -> Train:
    """One train; all packets but the last must be of one size."""
    return Train(memoryview(b"".join(packets)), len(packets[0]), len(packets), 1)


def rows(frames: list[bytes]) -> Rows:
    """Frames of one length, as the splitter takes them."""
    return np.frombuffer(b"".join(frames), np.uint8).reshape(len(frames), len(frames[0]))


def split(frame: bytes, header: VnetHeader) -> Train:
    return Splitter(memoryview(bytearray(1 << 17))).split(rows([frame]), header)[0]


def merged(run: Train) -> tuple[bytes, VnetHeader]:
    memory = memoryview(bytearray(10 + 65536))
    length = coalesce.merge(run, memory)
    return bytes(memory[10:length]), VnetHeader.read(memory)


@given(segments(), st.integers(20, 1500) | st.sampled_from([536, 1220, 1348, 1460]))
def test_a_superframe_becomes_what_the_slow_way_makes_of_it(whole: Segment, gso_size: int) -> None:
    for cut in (split, alone.split):
        train = cut(whole.packet(partial=True), whole.header(gso_size))
        packets = [bytes(each) for each in train.packets()]
        assert packets == [each.packet() for each in whole.cut(gso_size)]
        assert all(map(is_right, packets))


@given(st.lists(st.tuples(segments(), st.integers(20, 1500)), max_size=5))
def test_a_kept_arrangement_keeps_nothing_of_the_frame_before(frames: list[tuple[Segment, int]]) -> None:
    splitter = Splitter(memoryview(bytearray(1 << 14)))
    for whole, gso_size in [*frames, *frames]:
        (train,) = splitter.split(rows([whole.packet(partial=True)]), whole.header(gso_size))
        assert [bytes(each) for each in train.packets()] == [each.packet() for each in whole.cut(gso_size)]


@given(segments(), st.integers(200, 1500), st.integers(2, 4), st.data())
def test_superframes_that_are_alike_are_cut_at_once_as_each_is_alone(
    first: Segment, gso_size: int, count: int, data: st.DataObject
) -> None:
    wholes = [first]
    for _ in range(count - 1):
        other = data.draw(segments(protocol=first.protocol, payload=first.payload[::-1]))
        wholes.append(replace(other, source=first.source, destination=first.destination, options=first.options))
    header = first.header(gso_size)
    frames = [each.packet(partial=True) for each in wholes]
    assert len({kind_of(frame, header) for frame in frames}) == 1
    trains = Splitter(memoryview(bytearray(1 << 17))).split(rows(frames), header)
    assert [[bytes(each) for each in train.packets()] for train in trains] == [
        [each.packet() for each in whole.cut(gso_size)] for whole in wholes
    ]


def test_frames_of_another_ip_version_or_other_tcp_options_are_of_another_kind() -> None:
    frame, header = Segment(NOISE[:900]).packet(partial=True), Segment(NOISE[:900]).header(300)
    assert kind_of(b"\x65" + frame[1:], header) != kind_of(frame, header)
    assert kind_of(frame[:32] + b"\x50" + frame[33:], header) != kind_of(frame, header)


@given(segments(flags=ACK), st.integers(200, 1500))
def test_coalesce_and_split_give_back_every_byte(whole: Segment, gso_size: int) -> None:
    packets = [each.packet() for each in whole.cut(gso_size)]
    runs = list(coalesce.runs(train_of(packets)))
    assert [run.number for run in runs] == ([len(packets)] if len(packets[-1]) > whole.head else [1])
    if len(packets) > 1:
        frame, header = merged(runs[0])
        # What the kernel would read is what it would have sent, had it not cut it itself.
        assert frame == replace(whole, id=whole.id).packet(partial=True)
        assert header == whole.header(gso_size)._replace(hdr_len=whole.head)
        assert [bytes(each) for each in split(frame, header).packets()] == packets


CHANGES: list[dict[str, object]] = [
    {"ttl": 63},
    {"ports": (40001, 5201)},
    {"ports": (40000, 5202)},
    {"flags": ACK | PSH},
    {"flags": ACK | FIN},
    {"flags": ACK | CWR},
    {"id": 90},
    {"sequence": 5},
    {"fragment": 0},
    {"fragment": 0x6000},
    {"fragment": 0x4001},
    {"options": bytes(12)},
    {"zero_udp_checksum": True},
]


@st.composite
def mixtures(draw: st.DrawFn) -> tuple[list[bytes], set[int]]:
    """Packets of one size from flows that mostly go on, some changed, some damaged; and the damaged ones."""
    whole = draw(segments(flags=ACK))
    size = draw(st.integers(10, 300))
    cut = whole.cut(size)[:64]
    made, damaged = [], set()
    for number, each in enumerate(cut):
        change = draw(st.sampled_from([{}, *CHANGES]))
        if "id" in change:
            # Not one and the same id twice, which may be merged and then does not come back.
            change = {"id": (each.id + 90) % 2**16}
        if len(change.get("options", each.options)) != len(each.options):  # type: ignore[arg-type]
            change = {}
        packet = replace(each, **change).packet()  # type: ignore[arg-type]
        if draw(st.integers(0, 5)) == 0:
            # IPv6 has no header checksum, so damage to its class, flow label or hop limit is not to be seen.
            unseen = {0, 1, 2, 3, 7} if packet[0] >> 4 == 6 else set()
            at = draw(st.sampled_from([at for at in range(len(packet)) if at not in unseen]))
            bit = at * 8 + draw(st.integers(0, 7))
            flipped = bytearray(packet)
            flipped[bit // 8] ^= 1 << bit % 8
            packet = bytes(flipped)
            damaged.add(number)
        made.append(packet)
    return made, damaged


@given(mixtures())
def test_whatever_comes_goes_in_order_and_what_is_damaged_goes_alone(
    mixture: tuple[list[bytes], set[int]],
) -> None:
    packets, damaged = mixture
    runs = list(coalesce.runs(train_of(packets)))
    assert b"".join(bytes(run.data) for run in runs) == b"".join(packets)
    at = 0
    for run in runs:
        assert run.number == 1 or not damaged & set(range(at, at + run.number))
        if run.number > 1:
            assert all(is_right(bytes(each)) for each in run.packets())
            frame, header = merged(run)
            assert [bytes(each) for each in split(frame, header).packets()] == packets[at : at + run.number]
        at += run.number
    assert at == len(packets)


MEANINGLESS = {TCP: {"zero_udp_checksum"}, UDP: {"flags", "sequence", "options"}}


@pytest.mark.parametrize(
    ("protocol", "change"),
    [(protocol, change) for protocol in (TCP, UDP) for change in CHANGES if not MEANINGLESS[protocol] & {*change}],
)
def test_a_packet_that_differs_is_not_merged_with_its_neighbours(protocol: int, change: dict[str, object]) -> None:
    cut = Segment(NOISE[:500], protocol=protocol).cut(100)
    cut[2] = replace(cut[2], **change)  # type: ignore[arg-type]
    numbers = [run.number for run in coalesce.runs(train_of([each.packet() for each in cut]))]
    # PSH ends a run but belongs to it.
    assert numbers == ([3, 2] if change == {"flags": ACK | PSH} else [2, 1, 2])


@pytest.mark.parametrize("flags", [0, FIN | ACK, 2, 18, 4, ACK | CWR, ACK | 0x40])
def test_tcp_with_other_flags_merges_with_nothing(flags: int) -> None:
    packets = [replace(each, flags=flags).packet() for each in Segment(bytes(400)).cut(100)]
    assert [run.number for run in coalesce.runs(train_of(packets))] == [1] * 4


@pytest.mark.parametrize("version", [4, 6])
def test_packets_without_payload_merge_with_nothing(version: int) -> None:
    ends = {} if version == 4 else {"source": "fd00::1", "destination": "fd00::2"}
    acks = [Segment(b"", **ends).packet()] * 5  # type: ignore[arg-type]
    assert [run.number for run in coalesce.runs(train_of(acks))] == [1] * 5


def test_ids_that_stay_the_same_merge_only_where_they_mean_nothing() -> None:
    cut = [replace(each, id=0) for each in Segment(bytes(500), protocol=UDP).cut(100)]
    fixed = [each.packet() for each in cut]
    assert [run.number for run in coalesce.runs(train_of(fixed))] == [5]
    fragile = [replace(each, fragment=0).packet() for each in cut]
    assert [run.number for run in coalesce.runs(train_of(fragile))] == [1] * 5
    mixed = [replace(each, id=number).packet() for each, number in zip(cut, (0, 0, 0, 1, 2), strict=True)]
    assert [run.number for run in coalesce.runs(train_of(mixed))] == [3, 2]


def test_a_switch_stops_merging_of_its_protocol_only() -> None:
    for protocol in (TCP, UDP):
        train = train_of([each.packet() for each in Segment(bytes(300), protocol=protocol).cut(100)])
        for tcp, udp in ((True, False), (False, True)):
            wanted = tcp if protocol == TCP else udp
            assert len(list(coalesce.runs(train, tcp, udp))) == (1 if wanted else 3)


@pytest.mark.parametrize(("at", "value"), [(0, 0x46), (0, 0xF5), (9, 99), (9, UDP)])
def test_a_part_of_another_kind_than_the_first_is_not_merged(at: int, value: int) -> None:
    ordinary = [each.packet() for each in Segment(NOISE[:900]).cut(300)]
    odd = []
    for packet in ordinary:
        # Right sums, as the layout of the first part has them.
        changed = bytearray(packet)
        changed[at] = value
        changed[10:12] = b"\0\0"
        changed[10:12] = (0xFFFF ^ ones_sum(bytes(changed[:20]))).to_bytes(2, "big")
        odd.append(bytes(changed))
    train = Train(memoryview(b"".join(ordinary + odd)), len(ordinary[0]), 6, 2)
    runs = list(coalesce.runs(train))
    assert b"".join(bytes(run.data) for run in runs) == b"".join(ordinary + odd)
    assert [run.number for run in runs] == [3, 1, 1, 1]


def test_two_interleaved_flows_keep_their_order() -> None:
    one, two = (Segment(bytes(1000), ports=(port, 9)).cut(100) for port in (1, 2))
    packets = [each.packet() for pair in zip(one, two, strict=True) for each in pair]
    assert b"".join(bytes(run.data) for run in coalesce.runs(train_of(packets))) == b"".join(packets)


@given(st.integers(1, 200), st.integers(1, 3000), st.binary(min_size=1, max_size=60))
def test_a_train_is_sent_in_parts_that_one_call_takes(number: int, size: int, last: bytes) -> None:
    packets = [bytes([at % 256]) * size for at in range(number - 1)] + [last[:size]]
    train = train_of(packets) if number > 1 else Train.of(packets[0])
    parts = list(train.sendable())
    assert [bytes(each) for part in parts for each in part.packets()] == packets
    assert all(part.number <= MOST_PACKETS and len(part.data) <= MOST_BYTES for part in parts)


@given(st.lists(st.binary(min_size=37, max_size=37), min_size=1, max_size=9), st.integers(1, 37))
def test_row_sums_agree_with_the_rfc_at_every_width(rows: list[bytes], width: int) -> None:
    sums = row_sums(np.frombuffer(b"".join(rows), np.uint8).reshape(-1, 37)[:, :width])
    for row, total in zip(rows, sums.tolist(), strict=True):
        native = ones_sum(row[:width]) % 65535
        assert int.from_bytes((total % 65535).to_bytes(2, "little"), "big") % 65535 == native


@given(segments(), st.integers(1, 3))
def test_unfinished_checksums_are_finished(packet: Segment, number: int) -> None:
    memory = memoryview(bytearray(packet.packet(partial=True) * number))
    finish(memory, len(memory) // number, number, packet.header(0))
    assert bytes(memory) == packet.packet() * number
    one = memoryview(bytearray(packet.packet(partial=True)))
    alone.finish(one, packet.header(0))
    assert bytes(one) == packet.packet()


@given(
    st.binary(max_size=100) | segments().map(lambda each: each.packet(partial=True)),
    st.builds(
        VnetHeader,
        st.sampled_from([0, NEEDS_CSUM]),
        st.sampled_from([1, 4, 5, 0x81, 3]),
        st.just(0),
        st.integers(0, 65535),
        st.integers(0, 100) | st.integers(0, 65535),
        st.sampled_from([6, 16]) | st.integers(0, 65535),
    ),
)
def test_a_header_that_does_not_fit_is_told_and_never_followed_out_of_the_frame(
    frame: bytes, header: VnetHeader
) -> None:
    made: list[list[bytes] | None] = []
    for cut in (split, alone.split):
        try:
            made.append([bytes(each) for each in cut(frame, header).packets()])
        except NotSplittable:
            made.append(None)
    assert made[0] == made[1]
    memory = memoryview(bytearray(frame))
    if frame:
        finish(memory, len(frame), 1, header)
