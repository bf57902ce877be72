"""Logs: a time before every line, a limit, and one order of several."""

from __future__ import annotations

import os
from collections.abc import Callable
from itertools import count
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labctl.lab.engines.logs import Tail, last_words
from labctl.process.log_file import Line, LogFile, lines_of, stamp

SECOND = 10**9


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "log"


def opened(path: Path, limit: int = 1 << 20, now: Callable[[], int] = lambda: 0) -> LogFile:
    return LogFile(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND), limit, now)


@given(st.integers(0, 4 * 10**18), st.integers(0, 4 * 10**18))
def test_times_are_in_order_as_texts(one: int, other: int) -> None:
    assert (stamp(one) <= stamp(other)) == (one // 1000 <= other // 1000)


def test_each_line_has_the_time_at_which_it_came_to_its_end(path: Path) -> None:
    log = opened(path, now=map(SECOND.__mul__, count()).__next__)
    print("one", file=log, flush=True)
    print("two", "words", file=log)
    log.feed(b"with")
    log.feed(b"out end")
    assert [line.text for line in lines_of(path.read_bytes())] == ["one", "two words"]
    log.end()
    assert list(lines_of(path.read_bytes())) == [
        Line("1970-01-01T00:00:00.000000Z", "one"),
        Line("1970-01-01T00:00:01.000000Z", "two words"),
        Line("1970-01-01T00:00:02.000000Z", "without end"),
    ]


def test_a_line_without_a_time_belongs_to_the_one_before(path: Path) -> None:
    opened(path, now=lambda: SECOND).write("ours\n")
    with path.open("ab") as file:
        file.write(b"2026 past us\n\xff\n")
    assert [(line.time, line.text) for line in lines_of(path.read_bytes())] == [
        (stamp(SECOND), "ours"), (stamp(SECOND), "2026 past us"), (stamp(SECOND), "�")
    ]  # fmt: skip


def test_a_log_is_never_larger_than_its_limit_whoever_began_it(path: Path) -> None:
    for _ in range(3):
        log = opened(path, limit=1000)
        for number in range(50):
            log.write(f"line {number}\n")
            assert path.stat().st_size <= 1000
    first, *_, last = lines_of(path.read_bytes())
    assert "older lines were dropped" in first.text and last.text == "line 49"


def test_a_full_disk_is_in_nobodys_way() -> None:
    log = LogFile(os.open("/dev/full", os.O_WRONLY))
    assert log.write("a line\n") == 7


def test_a_log_that_has_begun_anew_is_read_on(path: Path) -> None:
    log, tail = opened(path, limit=200), Tail("a:tun0", path)
    log.write("old\nolder\n")
    assert [line.text for line in tail.more()] == ["old", "older"]
    assert list(tail.more()) == []
    os.truncate(path, 0)
    log.write("new\n")
    assert [line.text for line in tail.more()] == ["new"]


def test_the_last_words_are_those_of_this_run_and_do_nothing_to_a_terminal(path: Path) -> None:
    log = opened(path, now=map(SECOND.__mul__, count()).__next__)
    log.write("of the run before\n")
    log.write("\x1b[31mred\tand tab\n")
    assert last_words(path, stamp(SECOND)) == ["red\tand tab"]
    assert last_words(path.with_name("absent"), "") == []
