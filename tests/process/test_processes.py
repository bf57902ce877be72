"""Processes are found again, whatever they are called, and ended, whatever they do: a name is cut after 15 bytes, also
amidst a character.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from labctl.process.patience import Patience
from labctl.process.processes import Process, end, opened, start_time, state_of, title_of
from tests.e2e.world import eventually


@pytest.fixture
def cut_name(tmp_path: Path) -> Iterator[int]:
    """A process that waits, whose name is not text."""
    program = tmp_path / "мойсервер"
    program.symlink_to(shutil.which("sleep") or "")
    with subprocess.Popen(["sleep", "1000"], executable=program) as process:
        try:
            name = Path(f"/proc/{process.pid}/comm")
            eventually(lambda: name.read_bytes().endswith(b"\xd0\n"), "it has its name (execve(2))")
            yield process.pid
        finally:
            process.kill()


def test_a_process_whose_name_is_cut_amidst_a_character(cut_name: int) -> None:
    process = Process(cut_name, start_time(cut_name) or 0)
    with opened(process) as pidfd:
        assert pidfd is not None and process.alive()
    assert title_of(cut_name).startswith("мойсерв")
    os.kill(cut_name, signal.SIGSTOP)
    eventually(process.stopped, "it has stopped")
    assert state_of(cut_name) == "T" and Patience(0, cut_name).over()


def test_one_that_is_stopped_is_asked_to_end_like_any_other() -> None:
    with subprocess.Popen(["sleep", "1000"]) as process:
        os.kill(process.pid, signal.SIGSTOP)
        assert os.WIFSTOPPED(os.waitpid(process.pid, os.WUNTRACED)[1])
        end([Process(process.pid, start_time(process.pid) or 0)])
        assert process.wait() == -signal.SIGTERM
