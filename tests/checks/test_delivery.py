"""What an nc check concludes from the bytes at both ends."""

from __future__ import annotations

import ipaddress
from typing import Any

import pytest

from labctl.checks.delivery import delivery
from labctl.topology.model import Nc

WHERE: dict[str, Any] = {"from": "a", "to": "b", "address": ipaddress.ip_address("192.0.2.1"), "port": 80}
ONE_WAY = Nc.read({**WHERE, "send": "hello"})
BOTH_WAYS = Nc.read({**WHERE, "send": "hello", "reply": "world"})
LATE = "timed out after 3 s"


@pytest.mark.parametrize(
    ("asked", "arrived", "returned", "ended", "state", "words"),
    [
        (ONE_WAY, b"hello", b"", "", "answered", "5 bytes arrived as they were sent"),
        (ONE_WAY, b"", b"", LATE, "silent", "nothing arrived: timed out after 3 s"),
        (ONE_WAY, b"hel", b"", LATE, "differs", "3 of 5 bytes arrived: timed out after 3 s"),
        (ONE_WAY, b"hello hello", b"", "", "differs", "11 of 5 bytes arrived"),
        (ONE_WAY, b"jello", b"", "", "differs", "5 bytes arrived and differ"),
        (ONE_WAY, b"hello", b"x", "", "differs", "5 bytes arrived as they were sent, 1 of 0 bytes came back"),
        (BOTH_WAYS, b"hello", b"world", "", "answered", "5 bytes arrived as they were sent, 5 came back"),
        (BOTH_WAYS, b"hello", b"", LATE, "differs", "5 bytes arrived as they were sent, 0 of 5 bytes came back"),
        (BOTH_WAYS, b"", b"", LATE, "silent", "nothing arrived"),
        (ONE_WAY, None, b"", "", "answered", "5 bytes acknowledged"),
        (ONE_WAY, None, b"", LATE, "silent", "nothing came back: timed out after 3 s"),
        (BOTH_WAYS, None, b"world", "", "answered", "5 bytes acknowledged, 5 came back"),
        (BOTH_WAYS, None, b"wor", "", "differs", "3 of 5 bytes came back"),
        (BOTH_WAYS, None, b"words", "", "differs", "5 bytes came back and differ"),
        (BOTH_WAYS, None, b"", "", "silent", "nothing came back"),
    ],
)
def test_data_is_delivered_where_every_byte_came_and_no_other(
    asked: Nc, arrived: bytes | None, returned: bytes, ended: str, state: str, words: str
) -> None:
    outcome = delivery(asked, arrived, returned, ended)
    assert outcome.state == state and outcome.words.startswith(words)
