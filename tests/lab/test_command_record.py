"""What a person has typed is recorded, whatever it is made of, and the last of it is read."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from labctl.lab.command_record import LARGEST, CommandRecord

LOST = "\N{REPLACEMENT CHARACTER}"


@pytest.fixture
def record(tmp_path: Path) -> CommandRecord:
    found = CommandRecord(tmp_path)
    found.begin()
    return found


def test_a_command_is_one_whatever_is_in_it(record: CommandRecord) -> None:
    for command in ("ip link", "echo a\nip route", "echo \x0bip route\x1c\u2028\r", os.fsdecode(b"echo \xff\xfe")):
        record.add("siteA", command)
    assert list(record.of("siteA")) == [
        *("ip link", "echo a ip route", "echo \x0bip route\x1c\u2028\r"),
        f"echo {LOST}{LOST}",
    ]
    assert list(record.of("siteB")) == []


def test_of_a_long_record_the_last_commands_are_read(record: CommandRecord) -> None:
    for command in ("ip link", "x" * LARGEST, "ip route"):
        record.add("siteA", command)
    assert list(record.of("siteA")) == ["ip route"]
    record.add("siteA", "y" * LARGEST * 2)
    assert list(record.of("siteA")) == []


def test_without_a_record_nothing_is_kept(tmp_path: Path) -> None:
    CommandRecord(tmp_path).add("siteA", "ip link")
    assert list(tmp_path.iterdir()) == []
