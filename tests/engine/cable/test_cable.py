"""Both ends in memory: what goes in comes out as it was, or is counted; what is not authentic never comes out."""

from __future__ import annotations

import errno
import random
import secrets

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labctl.engine.cable import wire
from labctl.engine.cable.counters import DROPS_IN, DROPS_OUT, NAMES
from labctl.engine.cable.forward import DeviceGone, Plug
from labctl.engine.cable.line import DEAD, State
from labctl.engine.cable.sealing import CIPHERS, Cipher
from labctl.engine.packets import vnet
from labctl.engine.packets.address import Address
from labctl.lab.cables.status import instead, refused
from tests.engine.cable.fuzz import attack
from tests.engine.cable.ports import KEY, MemoryEnd, joined

OF_FRAMES = {"in_link_down", "in_busy", "in_tap_rejected"}

headers = st.builds(
    vnet.LAYOUT.pack,
    st.sampled_from((0, 1, 2)),
    st.sampled_from((vnet.NONE, vnet.TCPV4, vnet.TCPV6)),
    st.just(0),
    st.integers(0, 1500),
    st.integers(0, 300),
    st.integers(0, 20),
)
frames = st.lists(
    st.builds(
        lambda header, size, seed: header + random.Random(seed).randbytes(size),
        headers,
        st.integers(14, 9014),
        st.integers(),
    ),
    min_size=1,
    max_size=5,
)


def as_written(frame: bytes) -> bytes:
    """The frame as the other end writes it: of a virtio header nothing is left that asks for nothing."""
    flags, kind, _, _, start, offset = vnet.LAYOUT.unpack_from(frame)
    if kind != vnet.NONE or wire.lone_argument(frame) is None:
        return frame
    asked = vnet.LAYOUT.pack(1, 0, 0, 0, start, offset) if flags & vnet.NEEDS_CSUM else vnet.EMPTY
    return asked + frame[vnet.SIZE :]


def balanced(end: MemoryEnd) -> bool:
    now = end.now
    drops = {name: now[name] for name in DROPS_IN if name != "in_unfinished"}
    return (
        now["tap_read_frames"] == now["sent_frames"] + sum(now[name] for name in DROPS_OUT)
        and now["udp_received_datagrams"]
        == now["opened_datagrams"] + sum(n for name, n in drops.items() if name not in OF_FRAMES)
        and now["received_frames"] == now["tap_written_frames"] + sum(drops[name] for name in OF_FRAMES)
    )


@pytest.mark.parametrize("cipher", CIPHERS)
@settings(max_examples=40)
@given(sent=frames, data=st.data())
def test_a_frame_comes_out_as_it_was_over_any_path(cipher: Cipher, sent: list[bytes], data: st.DataObject) -> None:
    """Its datagrams come in any order, some twice; a frame of which one is lost does not come out."""
    a, b = joined(data.draw(st.sampled_from((548, 1252, 1472, 8972))), cipher)
    datagrams = [a.send(frame) for frame in sent]
    every = [each for some in datagrams for each in some]
    lost = data.draw(st.sets(st.sampled_from(every), max_size=2))
    twice = data.draw(st.lists(st.sampled_from(every), max_size=5))
    b.take(*data.draw(st.permutations([each for each in [*every, *twice] if each not in lost])))
    # A small frame that was no piece comes without what its header did not say; both are the same to the kernel.
    arrived = {as_written(frame) for frame, some in zip(sent, datagrams, strict=True) if not lost.intersection(some)}
    assert {as_written(frame) for frame in b.tap.written} == arrived
    assert len(b.tap.written) == sum(not lost.intersection(some) for some in datagrams)
    assert b.drops.get("in_replayed", 0) == len([each for each in twice if each not in lost])
    assert balanced(a) and balanced(b)


def test_the_largest_frame_that_fits_is_one_datagram() -> None:
    a, _ = joined(1472)
    for size, number in ((1448, 1), (1449, 2)):
        assert len(a.send(vnet.EMPTY + bytes(size))) == number
    assert 1500 - wire.overhead(4) + wire.ETHERNET == 1448


def test_nothing_but_the_other_end_is_ever_written() -> None:
    """Random datagrams, strangers, replays, flipped bits, what this end has sent itself: all counted."""
    a, b = joined()
    (ours,), (theirs,) = b.send(bytes(70)), a.send(bytes(70))
    rng = random.Random(17)
    before = b.now
    b.take(*(rng.randbytes(rng.randrange(0, 1600)) for _ in range(3000)))
    b.take(theirs, from_peer=False)
    b.take(ours)
    b.take(theirs[:-1], theirs + b"\0", theirs[:8], b"")
    for bit in range(8 * len(theirs)):
        flipped = bytearray(theirs)
        flipped[bit // 8] ^= 1 << bit % 8
        b.take(bytes(flipped))
    assert b.tap.written == []
    b.take(*[theirs] * 16)
    assert len(b.tap.written) == 1
    counted = {name: b.now[name] - before[name] for name in DROPS_IN if b.now[name] != before[name]}
    assert counted == {
        "in_not_authentic": 3000 + 1 + 4 + 8 * len(theirs),
        "in_not_from_peer": 1,
        "in_replayed": 15,
    }
    assert balanced(b)


@given(st.lists(st.booleans(), max_size=40))
def test_what_was_lost_on_the_way_is_counted(lost: list[bool]) -> None:
    """And nothing else: beats that are too large for the path are meant to be."""
    a, b = joined()
    for each in lost:
        datagrams = a.send(bytes(70))
        b.take(*datagrams[:0] if each else datagrams)
    a.cable.tick(1.0)
    b.take(*a.socket.sent, now=1.0)
    assert b.now["lost_datagrams"] == sum(lost)
    assert a.now["lost_datagrams"] == 0


def test_what_is_too_late_is_stale() -> None:
    a, b = joined()
    (late,) = a.send(bytes(70))
    for _ in range(1024):
        b.take(*a.send(bytes(70)))
    b.take(late)
    assert b.drops == {"in_stale": 1}


def test_before_the_plug_nothing_is_sent_and_nothing_taken() -> None:
    _, b = joined()
    fresh = MemoryEnd("a:wan0", "b:wan0", 1472)
    assert fresh.send(bytes(70)) == [] and fresh.cable.tick(5.0) is None
    fresh.take(*b.send(bytes(70)))
    assert fresh.drops == {"out_no_carrier": 1, "in_not_joined": 1}
    assert not fresh.tap.written and not fresh.tap.carrier


def test_a_key_serves_once() -> None:
    a, _ = joined()
    with pytest.raises(ValueError, match="used"):
        a.plug(KEY)
    a.plug(secrets.token_bytes(32))
    with pytest.raises(ValueError, match="used"):
        a.plug(KEY)


def test_an_end_with_another_key_is_told_nothing() -> None:
    """As after a restart of which only one end knows: no frame crosses, and both lose the carrier."""
    a, b = joined()
    old = a.send(bytes(70))
    b.plug(secrets.token_bytes(32), now=1.0)
    b.take(*old, *a.send(bytes(70)), now=1.0)
    assert b.drops == {"in_other_key": 2} and not b.tap.written
    assert not b.tap.carrier
    a.cable.tick(1.0 + DEAD)
    assert not a.tap.carrier and a.now["state"] == State.NOTHING_IN
    assert a.send(bytes(70)) == [] and a.drops["out_no_carrier"] == 1


def test_what_comes_in_place_of_the_other_end_is_shown_until_that_is_heard_again() -> None:
    a, b = joined()
    b.take(bytes(70), now=0.2)
    b.take(bytes(70), now=0.2, from_peer=False)
    b.cable.tick(1.0)
    assert not instead(b.now, "h"), "the other end is there"
    b.cable.tick(1.0 + DEAD)
    b.take(bytes(70), bytes(70), now=2.0 + DEAD)
    b.socket.other_port = 9
    b.take(bytes(70), now=2.5 + DEAD, from_peer=False)
    shown = [b.now[f"instead_{name}"] for name in ("not_authentic", "not_from_peer", "from_port")]
    assert shown == [2, 1, 9]
    assert (
        instead(b.now, "h") == "2 datagrams not sealed with the key of this cable and 1 datagram from a stranger, "
        "from port 9 of h"
    )
    a.cable.tick(3.0 + DEAD)
    b.take(*a.socket.sent, now=3.0 + DEAD)
    assert not instead(b.now, "h")


def test_why_the_kernel_does_not_send_is_shown_until_it_does() -> None:
    a, _ = joined()
    a.socket.failure = OSError(errno.EHOSTUNREACH, "")
    a.cable.tick(1.0)
    assert refused(a.now) == "No route to host"
    a.socket.failure = None
    a.cable.tick(2.0)
    assert not refused(a.now)


def test_what_is_sealed_with_another_key_of_the_cable_is_counted_as_that() -> None:
    """Of two ends that are joined anew one has the new key first. A key before the last is known to neither."""
    a, b = joined()
    older, noise = a.send(bytes(70)), bytes(70)
    second = secrets.token_bytes(32)
    for end in (a, b):
        end.plug(second)
    old, fresh = [*a.socket.sent], secrets.token_bytes(32)
    a.socket.sent.clear()
    a.plug(fresh)
    early = [*a.socket.sent]
    b.take(*early, noise)
    assert early and b.drops == {"in_not_authentic": len(early) + 1}
    b.plug(fresh)
    b.take(*old)
    assert b.drops == {"in_not_authentic": 1, "in_other_key": len(early) + len(old)} and not b.tap.written
    b.take(*older, noise)
    assert b.drops == {"in_not_authentic": 3, "in_other_key": len(early) + len(old)}


def test_a_plug_does_not_show_its_key() -> None:
    plug = Plug(Address("192.0.2.9", 47000), KEY)
    assert KEY.hex() not in repr(plug) and repr(KEY) not in repr(plug)
    with pytest.raises(ValueError, match="32 bytes"):
        Plug(Address("192.0.2.9", 47000), b"short")


@pytest.mark.parametrize(
    ("number", "name"),
    [
        (errno.EPERM, "out_refused"),
        (errno.ENETUNREACH, "out_unreachable"),
        (errno.EMSGSIZE, "out_too_big"),
        (errno.ENOBUFS, "out_busy"),
        (errno.EIO, "out_send_failed"),
    ],
)
def test_a_refused_send_is_a_drop(number: int, name: str) -> None:
    a, _ = joined()
    a.socket.failure = OSError(number, "")
    a.send(bytes(70))
    a.cable.tick(10.0)  # nor do beats raise
    assert a.drops == {name: 1} and balanced(a)


@pytest.mark.parametrize(
    ("number", "name"), [(errno.EIO, "in_link_down"), (errno.ENOBUFS, "in_busy"), (errno.EINVAL, "in_tap_rejected")]
)
def test_a_refused_write_is_a_drop(number: int, name: str) -> None:
    a, b = joined()
    b.tap.failure = OSError(number, "")
    b.take(*a.send(bytes(70)))
    assert b.drops == {name: 1} and balanced(b)


def test_a_deleted_device_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    a, _ = joined()

    def gone() -> memoryview:
        raise OSError(errno.EBADFD, "")

    monkeypatch.setattr(a.tap, "receive", gone)
    with pytest.raises(DeviceGone):
        a.cable.tap_to_peer()


def test_a_key_that_has_sealed_enough_ends_the_cable_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    a, _ = joined()
    monkeypatch.setattr(wire, "LAST_COUNTER", 60)
    for _ in range(80):
        a.send(bytes(70))
    assert a.now["state"] == State.UNPLUGGED and not a.tap.carrier
    assert "labctl up" in a.said[-2] + a.said[-1]
    assert balanced(a)


def test_an_interface_that_goes_down_takes_the_other_carrier_along() -> None:
    a, b = joined()
    a.tap.up = False
    a.cable.link_changed(0.2)
    a.cable.tick(0.2)
    b.take(*a.socket.sent, now=0.2)
    assert not b.tap.carrier and b.now["state"] == State.PEER_DOWN


def test_every_drop_has_words() -> None:
    from labctl.engine.cable.counters import words_for

    assert {*DROPS_OUT, *DROPS_IN} < {*NAMES}
    for name in (*DROPS_OUT, *DROPS_IN):
        assert words_for(name, 1).startswith("1 ") and words_for(name, 2) != words_for(name, 1)


@pytest.mark.parametrize("seed", range(2))
def test_hostile_datagrams_are_counted_and_nothing_else(seed: int) -> None:
    assert attack(20_000, seed)["in_not_authentic"] > 10_000
