"""Who holds a lock, and who does not."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

import pytest

from labctl.errors import MachineError, UsageError
from labctl.lab import lock
from labctl.lab.state import State
from labctl.process.child import in_child
from labctl.process.syscalls import CLONE_NEWNS, MS_REC, MS_SLAVE, mount, unshare


def test_a_lock_is_held_by_the_process_that_has_it(tmp_path: Path) -> None:
    fd = os.open(tmp_path, os.O_RDONLY)
    assert lock._holder(fd) is None
    fcntl.flock(fd, fcntl.LOCK_EX)
    assert lock._holder(fd) == os.getpid()
    os.close(fd)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_a_file_of_the_same_number_on_another_file_system_is_another(tmp_path: Path) -> None:
    def look() -> tuple[bool, bool, int | None]:
        unshare(CLONE_NEWNS)
        mount("", "/", flags=MS_REC | MS_SLAVE)
        opened = []
        for name in ("one", "other"):
            (tmp_path / name).mkdir()
            mount("tmpfs", str(tmp_path / name), "tmpfs")
            (tmp_path / name / "lab").mkdir()
            opened.append(os.open(tmp_path / name / "lab", os.O_RDONLY))
        one, other = opened
        fcntl.flock(one, fcntl.LOCK_EX)
        same = os.fstat(one).st_ino == os.fstat(other).st_ino
        return same, lock._holder(one) == os.getpid(), lock._holder(other)

    assert in_child(look) == (True, True, None)


def test_a_machine_without_run_is_told_to_lack_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    state, root = State("lab"), tmp_path / "run/labctl"
    state.directory = root / "lab"
    monkeypatch.setattr(lock, "ROOT", root)
    with pytest.raises(MachineError, match="run is missing"):
        lock._lock("lab", state.directory, lambda: lock._directory(state))


def test_no_checks_are_asked_of_a_lab_that_has_just_ended(tmp_path: Path) -> None:
    state = State("lab")
    state.directory = tmp_path / "lab"
    with pytest.raises(UsageError, match="there is no lab named lab"), lock.asking(state):
        pass
