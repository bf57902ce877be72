"""The process that forks engines, asked by itself: what goes wrong in one is told, whenever it does."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from labctl.engine.packets.address import Address
from labctl.errors import KernelRefused, LabError
from labctl.lab.engines.forkserver_client import Waiting, forkserver
from labctl.lab.engines.task import EngineTask
from labctl.plan.engine_spec import EngineSpec
from labctl.process.processes import Process
from labctl.rootless.context import HostContext
from labctl.topology.interface_ref import InterfaceRef
from tests.e2e.world import eventually

SPEC = EngineSpec(InterfaceRef("a", "tun0"), Address("127.0.0.1", 1), Address("127.0.0.2", 1))


def task(home: Path, **changes: object) -> EngineTask:
    files = {"log": home / "log", "counters": home / "counters", "control": home / "control"}
    made = {"spec": SPEC, "namespace": home / "no-namespace", "run_as": None, **files}
    return EngineTask(**{**made, **changes})  # type: ignore[arg-type]


@contextmanager
def waiting(*tasks: EngineTask) -> Iterator[Waiting]:
    with forkserver() as server, server.at(HostContext())(tasks) as engines:
        yield engines


def test_an_engine_that_ended_before_it_was_let_begin_says_why(tmp_path: Path) -> None:
    def once_it_has_ended(_: int, process: Process) -> None:
        eventually(lambda: not process.alive(), "it has ended")

    stillborn = task(tmp_path, counters=tmp_path / "no-directory" / "counters")
    with pytest.raises(KernelRefused) as caught, waiting(stillborn) as engines:
        list(engines.begin(once_it_has_ended))
    assert "cannot write the counters" in caught.value.what


def test_what_goes_wrong_once_it_has_begun_is_told_and_nobody_is_left(tmp_path: Path) -> None:
    recorded: dict[int, Process] = {}
    with pytest.raises(LabError) as caught, waiting(task(tmp_path), task(tmp_path / "other")) as engines:
        list(engines.begin(recorded.__setitem__))
    assert "No such file or directory (ENOENT)" in str(caught.value)
    eventually(lambda: not any(process.alive() for process in recorded.values()), "all have ended")


def test_one_that_is_not_let_begin_is_gone_when_the_body_ends(tmp_path: Path) -> None:
    spec = replace(SPEC, bind=Address("127.0.0.1", os.getpid() % 60000 + 1))  # of this test alone
    with forkserver() as server:
        with server.at(HostContext())([task(tmp_path, spec=spec)]):
            eventually(lambda: bool(titled(spec.command)) and (tmp_path / "control").exists(), "it waits")
        assert titled(spec.command) == []


def titled(command: str) -> list[Path]:
    return [entry for entry in Path("/proc").glob("[0-9]*/cmdline") if _read(entry).startswith(command.encode())]


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""
