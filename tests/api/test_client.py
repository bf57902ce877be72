"""What comes of work that another process does, and what becomes of it where it is cut off at any moment."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from labctl.api.caller import Caller
from labctl.api.client import client
from labctl.errors import LabError
from labctl.process.processes import state_of
from labctl.process.signals import TERMINATION, ignored
from tests.e2e.world import eventually

SIZE = 16 << 20
"""More bytes than a socket takes at once (net.core.wmem_default): they come in parts."""


def _tells(size: int, caller: Caller) -> bytes:
    caller.tell(b"t" * size)
    return b"r" * size


def test_a_large_result_comes_whole() -> None:
    told: list[bytes] = []
    assert client().do(partial(_tells, SIZE), told.append) == b"r" * SIZE
    assert told == [b"t" * SIZE]


class Interrupted(Exception):
    """What a listener raises."""


def _makes(file: Path, deaf: bool, caller: Caller) -> None:
    """Make a file, as `up` makes a lab, which is deaf then to what interrupts it."""
    caller.tell(os.getpid())
    eventually(file.with_suffix(".asked").exists, "it is asked for")
    caller.tell("made")
    if deaf:
        caller.until_the_end.enter_context(ignored(*TERMINATION))
    caller.if_received.append(partial(file.write_text, "kept"))
    caller.unless_received.append(file.unlink)
    file.touch()


def _ask(file: Path) -> None:
    file.with_suffix(".asked").touch()


@pytest.mark.parametrize("deaf", [True, False])
def test_what_is_done_is_taken_back_where_a_listener_raises_after_it(tmp_path: Path, deaf: bool) -> None:
    file = tmp_path / "file"

    def listen(what: Any) -> None:
        if what == "made":
            raise Interrupted
        _ask(file)
        eventually(lambda: file.exists() and state_of(what) == "S", "it has sent its result, and waits")

    with pytest.raises(Interrupted):
        client().do(partial(_makes, file, deaf), listen)
    assert not file.exists()


def test_what_is_done_is_taken_back_where_its_result_is_not_accepted(tmp_path: Path) -> None:
    def accept(_: object) -> None:
        raise Interrupted

    with pytest.raises(Interrupted):
        client().do(partial(_makes, tmp_path / "file", True), lambda _: _ask(tmp_path / "file"), accept)
    assert not (tmp_path / "file").exists()


def test_what_cannot_be_made_to_last_is_no_result(tmp_path: Path) -> None:
    workers: list[Any] = []

    def listen(what: Any) -> None:
        workers.append(what)
        _ask(tmp_path / "file")

    with pytest.raises(LabError, match="labctl was ended at its work"):
        client().do(partial(_makes, tmp_path / "file", True), listen, lambda _: os.kill(workers[0], signal.SIGKILL))


def _nothing(_: object, caller: Caller) -> str:
    return "done"


class _Forks:
    """An object during whose way to the other process another thread happens to fork."""

    def __init__(self) -> None:
        self.child = 0

    def __reduce__(self) -> tuple[type, tuple[()]]:
        self.child = os.fork()
        while not self.child:
            signal.pause()
        return object, ()


@contextmanager
def _forking() -> Iterator[_Forks]:
    forks = _Forks()
    try:
        yield forks
    finally:
        os.kill(forks.child, signal.SIGKILL)
        os.waitpid(forks.child, 0)


def test_work_is_over_though_a_process_lives_that_was_forked_as_it_began() -> None:
    with _forking() as forks:
        assert client().do(partial(_nothing, forks)) == "done"
