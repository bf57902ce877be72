"""Processes whose word counts for little: each has an end, whatever it does."""

from __future__ import annotations

import os
import pickle
import signal
import stat
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from labctl.errors import UsageError
from labctl.process import apart
from labctl.process.apart import Answer, Limits, answer, answers, as_user
from labctl.process.processes import children
from tests.e2e.conftest import possible
from tests.e2e.processes import has_ended
from tests.e2e.world import ORDINARY_UID, eventually

SOON = Limits(seconds=0.3, most=1000)


def says(data: bytes, times: int = 1) -> None:
    """Write to the pipe of the answer, as one would who had taken the process over; then end."""
    for name in os.listdir("/proc/self/fd"):
        with suppress(OSError):  # that of the list itself
            if int(name) > 2 and stat.S_ISFIFO(os.fstat(int(name)).st_mode):
                for _ in range(times):
                    os.write(int(name), data)
                os._exit(0)


class Planted:
    """Makes a file where it is unpickled."""

    def __init__(self, file: Path) -> None:
        self.file = str(file)

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (self.file,)


def fails() -> None:
    raise UsageError("this is wrong", "for a reason")


CASES: dict[str, tuple[Callable[[], object], str]] = {
    "never answers": (signal.pause, "no answer within 0.3 s"),
    "is busy for ever": (lambda: [None for _ in iter(int, 1)], "no answer within 0.3 s"),
    "a gigabyte": (lambda: says(b" " * (1 << 20), 1 << 10), "longer than 1,000 bytes"),
    "more than there may be": (lambda: "x" * 1001, "longer than 1,000 bytes"),
    "is killed": (lambda: os.kill(os.getpid(), signal.SIGKILL), "ended before it had answered"),
    "no JSON": (lambda: says(b"\x80\x04K\x01."), "ended amidst its answer"),
    "no end": (lambda: says(b'{"value": ['), "ended amidst its answer"),
    "deep": (lambda: says(b"[" * 900), "ended amidst its answer"),
    "another form": (lambda: says(b'{"value": 1, "why": "?"}'), "not understood"),
    "a number": (lambda: says(b"7"), "not understood"),
    "an error": (fails, "this is wrong: for a reason"),
    "what JSON does not know": (object, "TypeError"),
}


@pytest.mark.parametrize("work, why", CASES.values(), ids=CASES)
def test_what_is_no_answer_is_told(work: Callable[[], object], why: str) -> None:
    begun = time.monotonic()
    found = answer(work, SOON)
    assert found.value is None and why in found.why
    assert time.monotonic() - begun < 10


def test_a_planted_pickle_is_not_loaded(tmp_path: Path) -> None:
    data = pickle.dumps(Planted(tmp_path / "planted"))
    assert answer(partial(says, data)).why == "its process was ended amidst its answer"
    assert not (tmp_path / "planted").exists()


def test_several_at_once_each_with_its_number() -> None:
    works = [partial(lambda number: number * 2, number) for number in range(20)]
    assert dict(answers(works, 4)) == {number: Answer(2 * number) for number in range(20)}


def test_never_more_at_once_than_said(tmp_path: Path) -> None:
    def work(number: int) -> int:
        (tmp_path / str(number)).touch()
        time.sleep(0.02)
        found = len(list(tmp_path.iterdir()))
        (tmp_path / str(number)).unlink()
        return found

    assert max(found.value for _, found in answers([partial(work, number) for number in range(8)], 3)) <= 3


def test_who_stops_listening_leaves_none_behind() -> None:
    before = children(os.getpid())
    found = answers([os.getpid, signal.pause, signal.pause], 3)
    next(found)
    begun = set(children(os.getpid())) - set(before)
    found.close()
    assert begun and not begun & set(children(os.getpid()))


def test_what_was_said_in_time_counts_however_late_it_is_heard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As where Ctrl-Z stops the one who listens."""
    os.mkfifo(gate := tmp_path / "gate")
    before = children(os.getpid())
    found = answers([os.getpid, gate.read_text], 2)
    next(found)
    (other,) = set(children(os.getpid())) - set(before)
    gate.write_text("open")
    eventually(lambda: has_ended(other), "it has answered")
    late = SimpleNamespace(monotonic=lambda: time.monotonic() + 1000)
    monkeypatch.setattr(apart, "time", late)
    assert next(found) == (1, Answer("open"))


def test_another_user_has_none_of_our_rights_and_environment(tmp_path: Path) -> None:
    possible("root")
    (secret := tmp_path / "secret").write_text("x")
    secret.chmod(0o600)

    def look() -> list[object]:
        readable = os.access(secret, os.R_OK)
        return [list(os.getresuid()), list(os.getresgid()), os.getgroups(), dict(os.environ), readable]

    everyone = [ORDINARY_UID] * 3
    assert answer(as_user(ORDINARY_UID, ORDINARY_UID, look)).value == [everyone, everyone, [], {}, False]
