"""How rows of datagrams leave, and what a socket is bound to."""

from __future__ import annotations

import errno
import socket
import struct
from collections.abc import Iterator, Sequence
from typing import Any, cast

import pytest

from labctl.engine.cable.udp import UDP_SEGMENT, CableSocket, bound, local_host, resolved
from labctl.engine.errors import EngineError
from labctl.engine.features import Feature, Features
from labctl.engine.packets.address import Address


class Refusing:
    """A socket that refuses some sends, and keeps what went."""

    family = socket.AF_INET

    def __init__(self, refused: dict[int, int]) -> None:
        self.refused = refused  # errno, by the number of datagrams in a send
        self.sent: list[list[bytes]] = []

    def setsockopt(self, *_: object) -> None:
        pass

    def sendmsg(self, parts: Sequence[bytes], beside: Sequence[tuple[int, int, bytes]], _: int, to: Any) -> None:
        whole, size = b"".join(parts), 0
        for _level, kind, value in beside:
            assert kind == UDP_SEGMENT
            (size,) = struct.unpack("=H", value)
        datagrams = [whole[at : at + size] for at in range(0, len(whole), size)] if size else [whole]
        if number := self.refused.get(len(datagrams)):
            raise OSError(number, "")
        assert len(whole) <= 65507 and to == ("192.0.2.9", 47000)
        self.sent.append(datagrams)


def over(fake: Refusing) -> tuple[CableSocket, Features]:
    features = Features()
    made = CableSocket(cast(socket.socket, fake), features)
    made.face(Address("192.0.2.9", 47000))
    return made, features


def row(number: int, size: int) -> list[tuple[bytes, bytes]]:
    return [(bytes([each % 256]) * 8, bytes(size - 8)) for each in range(number)]


@pytest.mark.parametrize(
    ("number", "size", "calls"),
    [(1, 1472, [1]), (43, 1472, [43]), (64, 500, [64]), (100, 500, [64, 36]), (46, 1472, [44, 2]), (2, 65507, [1, 1])],
)
def test_a_row_leaves_with_as_few_calls_as_the_kernel_takes(number: int, size: int, calls: list[int]) -> None:
    fake = Refusing({})
    made, _ = over(fake)
    made.send(row(number, size))
    assert [len(each) for each in fake.sent] == calls
    assert [each for datagrams in fake.sent for each in datagrams] == [b"".join(each) for each in row(number, size)]


@pytest.mark.parametrize("number", [errno.EIO, errno.EINVAL])
def test_where_the_kernel_refuses_rows_each_datagram_leaves_alone(number: int) -> None:
    fake = Refusing({43: number})
    made, features = over(fake)
    made.send(row(43, 1472))
    assert [each for (each,) in fake.sent] == [b"".join(each) for each in row(43, 1472)]
    assert Feature.UDP_SEGMENT not in features.now


def test_another_refusal_is_told() -> None:
    made, features = over(Refusing({43: errno.ENETUNREACH}))
    with pytest.raises(OSError, match="101"):
        made.send(row(43, 1472))
    assert Feature.UDP_SEGMENT in features.now


def test_what_is_no_address_of_this_host_is_reached_at_all_of_its_own() -> None:
    assert local_host("127.0.0.1") == "127.0.0.1"
    assert local_host("203.0.113.9") == "0.0.0.0"  # a cloud translates it
    assert local_host("2001:db8::9") == "::"
    assert local_host("localhost") in ("0.0.0.0", "::")
    assert resolved("::1") == "::1"


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.bind(("127.0.0.1", 0))
        yield one.getsockname()[1]


def test_the_first_free_port_is_taken(taken: int) -> None:
    with bound("127.0.0.1", (taken, 0)) as made:
        assert made.getsockname()[1] not in (0, taken)
    with pytest.raises(EngineError, match=f"no port of {taken}-{taken} is free"):
        bound("127.0.0.1", (taken,))
