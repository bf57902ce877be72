"""A record is whole when every piece has come, and never otherwise; a lone frame keeps what its header asked for."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labctl.engine.cable import wire
from labctl.engine.cable.records import MOST_OPEN, Records
from labctl.engine.packets import vnet

Piece = tuple[int, int, int, bytes]


def pieces_of(record: bytes, first: int, size: int) -> list[Piece]:
    starts = range(0, len(record), size)
    headers = wire.headers_of_record(first, len(starts))
    return [(*wire.unpacked(header), record[at : at + size]) for header, at in zip(headers, starts, strict=True)]


def added(records: Records, piece: Piece) -> list[bytes] | None:
    kind, index, counter, body = piece
    return records.add(index, counter, [body], kind == wire.LAST)


records = st.lists(st.binary(min_size=1, max_size=300), min_size=1, max_size=8)


@given(records, st.integers(5, 80), st.randoms(), st.data())
def test_whole_records_come_out_as_they_went_in(
    made: list[bytes], size: int, random: object, data: st.DataObject
) -> None:
    """In any order of their pieces; one that lost a piece never does."""
    sent: list[list[Piece]] = []
    for record in made:
        sent.append(pieces_of(record, 1 + sum(map(len, sent)), size))
    lost = data.draw(st.sets(st.sampled_from([each for pieces in sent for each in pieces])))
    coming = data.draw(st.permutations([each for pieces in sent for each in pieces if each not in lost]))
    records = Records()
    out = [b"".join(whole) for piece in coming if (whole := added(records, piece)) is not None]
    assert sorted(out) == sorted(
        record for record, pieces in zip(made, sent, strict=True) if not lost.intersection(pieces)
    )


def test_only_so_many_wait_for_a_piece() -> None:
    records = Records()
    for number in range(MOST_OPEN + 5):
        assert records.add(0, 1 + 2 * number, [b"half"], ended=False) is None
    assert records.unfinished == 5
    assert records.add(1, 2, [b"half"], ended=True) is None
    assert records.add(1, 2 * (MOST_OPEN + 5), [b"half"], ended=True) == [b"half", b"half"]


@given(
    st.lists(
        st.tuples(st.sampled_from((wire.PIECE, wire.LAST)), st.integers(0, 300), st.integers(0, 400), st.just(b"x")),
        max_size=80,
    )
)
def test_pieces_that_no_sender_makes_raise_no_other_error(pieces: list[Piece]) -> None:
    """Not even an end that has the key can do more than that."""
    records = Records()
    for piece in pieces:
        try:
            added(records, piece)
        except ValueError:
            continue


def test_a_record_over_the_largest_is_none() -> None:
    records = Records()
    records.add(0, 1, [bytes(wire.LARGEST_RECORD)], ended=False)
    with pytest.raises(ValueError, match="too large"):
        records.add(1, 2, [b"x"], ended=True)


@given(st.integers(1, 255), st.integers(0, 255))
def test_what_is_left_of_a_checksum_crosses(start: int, offset: int) -> None:
    header = vnet.LAYOUT.pack(vnet.NEEDS_CSUM, vnet.NONE, 99, 0, start, offset)
    argument = wire.lone_argument(header)
    assert argument is not None
    assert vnet.VnetHeader.read(wire.header_of_lone(argument)) == (vnet.NEEDS_CSUM, vnet.NONE, 0, 0, start, offset)


@pytest.mark.parametrize(
    "header", [(1, 0, 0, 0, 256, 16), (1, 0, 0, 0, 34, 256), (1, vnet.TCPV4, 54, 1400, 34, 16), (0, 3, 0, 512, 0, 0)]
)
def test_what_a_lone_frame_cannot_say_takes_a_record(header: tuple[int, ...]) -> None:
    assert wire.lone_argument(vnet.LAYOUT.pack(*header)) is None


def test_a_checked_checksum_asks_for_nothing() -> None:
    assert wire.lone_argument(vnet.LAYOUT.pack(2, 0, 0, 0, 0, 0)) == 0
    assert wire.header_of_lone(0) == vnet.EMPTY
