"""What is sealed is opened once, by the other end alone, whatever the network does with it."""

from __future__ import annotations

import secrets

import pytest
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand
from hypothesis import given, settings
from hypothesis import strategies as st

from labctl.engine.cable import sealing, wire
from labctl.engine.cable.replay import WINDOW, Came, Window
from labctl.engine.cable.sealing import CIPHERS, Exhausted, Opened, Opener, Sealer, key_of

KEY = bytes(range(32))


class Oracle:
    """A replay window that remembers everything."""

    def __init__(self) -> None:
        self.came: set[int] = set()

    def take(self, counter: int) -> Came:
        if counter <= max(self.came, default=0) - WINDOW or counter <= 0:
            return Came.STALE
        if counter in self.came:
            return Came.AGAIN
        self.came.add(counter)
        return Came.NEW


near = st.lists(st.integers(0, 3 * WINDOW) | st.sampled_from((1, WINDOW, WINDOW + 1, 2 * WINDOW)), max_size=200)


@given(near)
def test_a_window_takes_what_one_that_remembers_everything_takes(counters: list[int]) -> None:
    window, oracle = Window(), Oracle()
    assert [window.take(counter) for counter in counters] == [oracle.take(counter) for counter in counters]


@given(near, st.integers(0, 4 * WINDOW), near)
def test_many_in_order_are_as_one_by_one(before: list[int], highest: int, behind: list[int]) -> None:
    together, single = Window(), Window()
    for counter in before:
        together.take(counter)
        single.take(counter)
    together.take_all(highest)
    for counter in range(single.highest + 1, highest + 1):
        single.take(counter)
    assert [together.take(counter) for counter in behind] == [single.take(counter) for counter in behind]


def row(*datagrams: bytes) -> memoryview:
    return memoryview(b"".join(datagrams))


@pytest.mark.parametrize("cipher", CIPHERS)
@given(bodies=st.lists(st.binary(max_size=80), min_size=1, max_size=30), data=st.data())
def test_each_datagram_is_opened_once_in_whatever_order(
    cipher: sealing.Cipher, bodies: list[bytes], data: st.DataObject
) -> None:
    sealer, opener = Sealer(KEY, cipher), Opener(KEY, cipher)
    sent = [b"".join(sealer.seal(wire.LONE, number, body)) for number, body in enumerate(bodies)]
    coming = data.draw(st.lists(st.integers(0, len(sent) - 1), max_size=60))
    opened = [each for number in coming for each in opener.open(row(sent[number]), len(sent[number]))]
    assert sorted(opened) == [
        (wire.LONE, number, number + 1, [bodies[number]], False) for number in sorted(set(coming))
    ]
    assert opener.replayed == len(coming) - len(set(coming))


@given(st.binary(max_size=60), st.data())
def test_no_changed_bit_is_authentic(body: bytes, data: st.DataObject) -> None:
    opener = Opener(KEY, "aes-256-gcm")
    sent = bytearray(b"".join(Sealer(KEY, "aes-256-gcm").seal(wire.LONE, 7, body)))
    bit = data.draw(st.integers(0, 8 * len(sent) - 1))
    sent[bit // 8] ^= 1 << bit % 8
    assert not opener.open(memoryview(sent), len(sent))
    assert opener.not_authentic == 1


@given(st.binary(max_size=100), st.integers(1, 40))
def test_what_is_no_datagram_is_counted(datagrams: bytes, size: int) -> None:
    opener = Opener(KEY, "aes-256-gcm")
    assert not opener.open(memoryview(datagrams), size)
    assert opener.not_authentic == max(1, -(-len(datagrams) // size))


@given(st.lists(st.tuples(st.booleans(), st.integers(1, 9000), st.integers(1, 200)), max_size=20))
def test_no_nonce_is_used_twice(sends: list[tuple[bool, int, int]]) -> None:
    sealer = Sealer(KEY, "aes-256-gcm")
    headers: list[bytes] = []
    for as_record, length, size in sends:
        some = memoryview(bytes(length))
        sealed = sealer.seal_record(some, size) if as_record else [sealer.seal(wire.LONE, 0, some)]
        headers += [header for header, _ in sealed]
    assert [wire.unpacked(header)[2] for header in headers] == [*range(1, len(headers) + 1)]


def test_a_key_ends_with_its_last_counter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "LAST_COUNTER", 3)
    sealer = Sealer(KEY, "aes-256-gcm")
    for _ in range(3):
        sealer.seal(wire.LONE, 0, b"")
    for _ in range(2):
        with pytest.raises(Exhausted):
            sealer.seal(wire.LONE, 0, b"")
        with pytest.raises(Exhausted):
            sealer.seal_record(memoryview(b"frame"), 2)


def test_a_key_is_derived_as_the_standard_says() -> None:
    shared = secrets.token_bytes(32)
    info = b"labctl cable 1\0a:wan0-b:wan0\0a:wan0"
    assert key_of(shared, "a:wan0-b:wan0", "a:wan0") == HKDFExpand(SHA256(), 32, info).derive(shared)


def test_neither_direction_opens_its_own() -> None:
    shared = secrets.token_bytes(32)
    ours, theirs = (key_of(shared, "c", end) for end in ("a", "b"))
    sent = b"".join(Sealer(ours, "aes-256-gcm").seal(wire.LONE, 0, b"frame"))
    assert not Opener(theirs, "aes-256-gcm").open(memoryview(sent), len(sent))


@given(st.integers(1, 5), st.integers(1, 200))
def test_the_headers_of_a_record_count_up(first: int, number: int) -> None:
    pieces = [wire.unpacked(header) for header in wire.headers_of_record(first, number)]
    assert pieces == [
        (wire.LAST if index == number - 1 else wire.PIECE, index, first + index) for index in range(number)
    ]


def each_of(opened: list[Opened]) -> list[tuple[int, int, int, bytes]]:
    """Datagrams one by one: kind, argument, counter and body."""
    return [
        (wire.LAST if ended and at == len(bodies) - 1 else kind, argument + at, counter + at, body)
        for kind, argument, counter, bodies, ended in opened
        for at, body in enumerate(bodies)
    ]


@settings(max_examples=400)
@given(
    lengths=st.lists(st.tuples(st.booleans(), st.integers(1, 60)), min_size=1, max_size=3),
    data=st.data(),
)
def test_a_row_is_opened_as_its_datagrams_one_by_one(lengths: list[tuple[bool, int]], data: st.DataObject) -> None:
    """Pieces in order come together; whatever is mixed up, spoilt or repeated among them, nothing else comes of it."""
    sealer = Sealer(KEY, "aes-256-gcm")
    sent: list[bytes] = []
    for as_record, length in lengths:
        body = memoryview(bytes(length))
        sealed = sealer.seal_record(body, 8) if as_record else [sealer.seal(wire.LONE, 0, body[:8])]
        sent += [b"".join(each).ljust(8 + wire.SEAL, b"\0") for each in sealed]  # padded ones are not authentic
    coming = data.draw(st.lists(st.sampled_from(sent), max_size=40) | st.just(sent))
    coming = [bytes([each[0] ^ data.draw(st.sampled_from((0, 0, 0, 1)))]) + each[1:] for each in coming]
    together, single = Opener(KEY, "aes-256-gcm"), Opener(KEY, "aes-256-gcm")
    found = each_of(together.open(row(*coming), 8 + wire.SEAL)) if coming else []
    assert found == each_of([each for one in coming for each in single.open(memoryview(one), len(one))])
    counts = [(each.not_authentic, each.replayed, each.stale) for each in (together, single)]
    assert counts[0] == counts[1]


@pytest.mark.parametrize("order", [(1, 0, 1, 2), (0, 2, 1, 2), (0, 1, 0, 1, 2), (0, 1, 2, 1, 2, 3)])
def test_a_piece_in_a_row_is_taken_once(order: tuple[int, ...]) -> None:
    sent = [b"".join(each) for each in Sealer(KEY, "aes-256-gcm").seal_record(memoryview(bytes(32)), 8)]
    opener = Opener(KEY, "aes-256-gcm")
    opened = opener.open(row(*(sent[each] for each in order)), 8 + wire.SEAL)
    assert sorted(argument for _, argument, _, _ in each_of(opened)) == sorted(set(order))
    assert opener.replayed == len(order) - len(set(order))
