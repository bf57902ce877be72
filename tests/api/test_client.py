"""What comes of work that another process does."""

from __future__ import annotations

from functools import partial

from labctl.api.caller import Caller
from labctl.api.client import client

SIZE = 16 << 20
"""More bytes than a socket takes at once (net.core.wmem_default): they come in parts."""


def _tells(size: int, caller: Caller) -> bytes:
    caller.tell(b"t" * size)
    return b"r" * size


def test_a_large_result_comes_whole() -> None:
    told: list[bytes] = []
    assert client().do(partial(_tells, SIZE), told.append) == b"r" * SIZE
    assert told == [b"t" * SIZE]
