"""A command that is forked is to a test what one is that was executed: a child, with what subprocess promises of it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from typing import Any

import pytest

from tests.e2e import forked

PIPES: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}


def nobody_else() -> None:
    """Stay who one is."""


def tells() -> None:
    """Tell of this process what it has been given."""
    descriptors = sorted(map(int, os.listdir("/proc/self/fd")))[:-1]  # but that of the list itself
    print(os.getppid(), threading.get_native_id() == os.getpid(), descriptors, sys.argv, dict(os.environ))
    print(os.getsid(0) == os.getpid(), input(), flush=True)
    sys.exit(7)


def aborts() -> None:
    os.abort()


def is_told_by_a_signal() -> None:
    signal.raise_signal(signal.SIGTERM)


def test_it_is_a_child_with_words_streams_and_an_environment_of_its_own() -> None:
    process = forked.Process(tells, ["one", "two"], {"A": "b"}, nobody_else, start_new_session=True, **PIPES)
    out, err = process.communicate("said\n", timeout=20)
    assert out.splitlines() == [
        f"{os.getpid()} True [0, 1, 2] ['one', 'two'] {{'A': 'b'}}",
        "True said",
    ], err
    assert process.returncode == 7


@pytest.mark.parametrize(("main", "number"), [(aborts, signal.SIGABRT), (is_told_by_a_signal, signal.SIGTERM)])
def test_it_can_end_itself_by_a_signal(main: Any, number: signal.Signals) -> None:
    assert forked.Process(main, ["it"], {}, nobody_else).wait(20) == -number


def test_it_is_reached_by_a_signal() -> None:
    with forked.Process(tells, ["it"], {}, nobody_else, **PIPES) as process:
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.01)
        process.kill()
    assert process.returncode == -signal.SIGKILL


def test_several_threads_have_some_forked_at_once() -> None:
    codes: list[int] = []

    def run() -> None:
        with forked.Process(tells, ["it"], {}, nobody_else, **PIPES) as process:
            process.communicate("")
        codes.append(process.returncode)

    threads = [threading.Thread(target=run) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert codes == [1] * 8  # what reads has come to the end of the file


def test_the_end_of_the_process_that_forks_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    requests, unheard = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with requests:
        monkeypatch.setattr(forked, "_forkserver", lambda _: requests)
        unheard.close()
        with pytest.raises(RuntimeError, match="the process that forks commands of tests has ended"):
            forked.Process(aborts, ["it"], {}, nobody_else)
