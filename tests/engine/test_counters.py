"""The memory-mapped counters: who may read them, and what a reader sees."""

from __future__ import annotations

import os
import signal
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from labctl.engine import counters as count
from labctl.engine.accounting import IN, Account
from labctl.engine.counters import Counters
from labctl.engine.packets.train import Train


def test_a_reader_sees_each_number_as_soon_as_it_is_counted(tmp_path: Path) -> None:
    path = tmp_path / "tun0"
    with Counters.create(path) as writer, Counters.open(path) as reader:
        assert set(reader.snapshot().values()) == {0}
        writer.cells[count.TUN_READ] += 1
        writer.cells[count.TUN_READ + 1] += 84
        writer.cells[count.OUT_BUSY] += 2**63
        seen = {name: number for name, number in reader.snapshot().items() if number}
    assert seen == {"tun_read_packets": 1, "tun_read_bytes": 84, "out_busy": 2**63}


def test_each_constant_is_the_cell_of_its_name() -> None:
    assert count.NAMES[count.TUN_READ] == "tun_read_packets"
    assert count.NAMES[count.UDP_SENT] == "udp_sent_packets"
    assert count.NAMES[count.UDP_RECEIVED] == "udp_received_packets"
    assert count.NAMES[count.TUN_WRITTEN] == "tun_written_packets"
    for name in (*count.DROPS_OUT, *count.DROPS_IN):
        assert count.NAMES[getattr(count, name.upper())] == name


def test_every_drop_has_words_of_its_own() -> None:
    told = [count.words_for(name, 3) for name in (*count.DROPS_OUT, *count.DROPS_IN, "icmp_errors")]
    assert len(set(told)) == len(told)
    assert "3 packets from a stranger" in told
    assert count.words_for("in_not_from_peer", 1) == "1 packet from a stranger"


def test_the_file_is_its_owners_alone_and_leaves_no_other_behind(tmp_path: Path) -> None:
    path = tmp_path / "tun0"
    before = os.umask(0)
    try:
        Counters.create(path).close()
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_the_last_numbers_can_be_read_when_the_writer_is_gone(tmp_path: Path) -> None:
    path = tmp_path / "tun0"
    with Counters.create(path) as writer:
        writer.cells[count.ICMP_ERRORS] = 7
    with Counters.open(path) as reader:
        assert reader.snapshot()["icmp_errors"] == 7


def test_a_reader_cannot_write(tmp_path: Path) -> None:
    path = tmp_path / "tun0"
    Counters.create(path).close()
    with Counters.open(path) as reader, pytest.raises(TypeError):
        reader.cells[0] = 1


@pytest.mark.parametrize("change", [lambda data: data[:-1], lambda data: b"T" + data[1:], lambda data: b""])
def test_another_file_is_refused(tmp_path: Path, change: Callable[[bytes], bytes]) -> None:
    path = tmp_path / "tun0"
    Counters.create(path).close()
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(ValueError, match="this release"):
        Counters.open(path)


@pytest.mark.parametrize("path", ["taken", "", "/"])
def test_a_failed_creation_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    (tmp_path / "taken" / "full").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(OSError):
        Counters.create(Path(path))
    assert [path.name for path in tmp_path.iterdir()] == ["taken"]
    assert not list(Path("/").glob(f"..{os.getpid()}"))


def test_counters_without_a_file_count() -> None:
    with Counters.anonymous() as counters:
        counters.cells[count.IN_EMPTY] += 1
        assert counters.snapshot()["in_empty"] == 1


def test_a_reader_sees_a_strangers_datagram_whole_or_not_at_all(tmp_path: Path) -> None:
    with Counters.create(tmp_path / "tun0") as writer, Counters.open(tmp_path / "tun0") as reader:
        account, train = Account(writer, IN, "peer > tun0"), Train.of(b"knock")
        child = os.fork()
        if child == 0:
            while True:
                account.came_from_stranger(train, "stranger > tun0")
        try:
            seen = [reader.snapshot()]
            while seen[-1]["in_not_from_peer"] < 20_000:
                seen.append(reader.snapshot())
        finally:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
    assert all(each["udp_received_packets"] == each["in_not_from_peer"] for each in seen)


def test_the_numbers_of_a_writer_that_ended_within_a_datagram_can_be_read(tmp_path: Path) -> None:
    with Counters.create(tmp_path / "tun0") as writer, Counters.open(tmp_path / "tun0") as reader:
        writer.sequence_cell[0] += 1
        writer.cells[count.UDP_RECEIVED] += 1
        assert reader.snapshot()["udp_received_packets"] == 1
