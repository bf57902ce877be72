"""What is kept here of a lab over hosts: one that is damaged is told, and is in the way of no other lab."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from labctl.api.caller import Caller
from labctl.api.calls.inspect import running, summaries
from labctl.errors import MachineError, UsageError
from labctl.hosts.notes import NOTE, OF_SSH, is_noted, noted, taken
from labctl.hosts.record import Host, Record, recorded, recorded_labs
from labctl.lab.lock import locked_over_hosts

KEPT = {
    "lab": "one",
    "file": "",
    "hosts": {"srv1": {"ssh": "srv1", "namespaces": ["a"], "mark": ""}},
    "topology": "",
    "inventory": "",
}


@pytest.fixture(autouse=True)
def _state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    (tmp_path / "labctl").mkdir()


def keep(tmp_path: Path, lab: str, what: Any) -> None:
    (tmp_path / "labctl" / f"{lab}.json").write_text(what if isinstance(what, str) else json.dumps(what))


def test_what_is_kept_is_found_again_until_it_is_forgotten() -> None:
    record = Record("one", "/tmp/one.yaml", {"srv1": Host("anna@srv1", ("a", "b"), "labctl: one 1")})
    record.write()
    assert (recorded("one"), recorded_labs()) == (record, ["one"])
    record.forget()
    assert (recorded("one"), recorded_labs()) == (None, [])


def test_what_is_kept_is_for_this_user_alone(tmp_path: Path) -> None:
    (tmp_path / "labctl" / "one.new").touch(mode=0o644)  # left by a kill, of a labctl that wrote for all
    Record("one", "", {"srv1": Host("srv1", ("a",))}).write()
    assert (tmp_path / "labctl" / "one.json").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(("writable", "known"), [(True, True), (False, False)])
def test_an_exit_code_that_may_be_that_of_ssh_is_noted_where_that_can_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, writable: bool, known: bool
) -> None:
    (tmp_path / "a-file").touch()
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / ("" if writable else "a-file")))
    monkeypatch.setenv(NOTE, "ended")
    assert (noted(7), taken("ended")) == (7, False)
    assert (noted(OF_SSH), taken("ended"), taken("ended")) == (OF_SSH, known, False)


def test_an_error_of_labctl_is_noted_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    error = UsageError("it cannot be run", "there is none", "make one")
    assert not is_noted(error), "no other machine asks for it"
    monkeypatch.setenv(NOTE, "ended")
    assert is_noted(error)
    with pytest.raises(UsageError, match=r"^it cannot be run\nthere is none\nmake one$"):
        taken("ended")
    monkeypatch.setenv("XDG_STATE_HOME", "/proc/nothing")
    assert not is_noted(error)


def test_one_command_at_a_time_changes_a_lab_and_leaves_no_file(tmp_path: Path) -> None:
    with locked_over_hosts("one"), locked_over_hosts("two"):
        with pytest.raises(UsageError, match=f"at work on lab one\nit is process {os.getpid()}\n"):
            locked_over_hosts("one").__enter__()
        assert recorded_labs() == []
    with locked_over_hosts("one"):
        pass
    assert [*(tmp_path / "labctl").iterdir()] == []


@pytest.mark.parametrize(
    "damaged",
    [
        "",
        "[]",
        "{",
        {**KEPT, "lab": "another"},
        {**KEPT, "file": 1},
        {**KEPT, "hosts": []},
        {**KEPT, "hosts": {"srv1": {"ssh": {}, "namespaces": []}}},
        {**KEPT, "hosts": {"srv1": {"ssh": "srv1", "namespaces": "a"}}},
        {**KEPT, "hosts": {"srv1": {"ssh": "srv1", "namespaces": [1], "mark": ""}}},
        {**KEPT, "topology": {}},
    ],
    ids=str,
)
def test_a_damaged_one_is_told_and_in_the_way_of_no_other(tmp_path: Path, damaged: Any) -> None:
    keep(tmp_path, "one", damaged)
    keep(tmp_path, "two", {**KEPT, "lab": "two"})
    with pytest.raises(MachineError, match="it is damaged"):
        recorded("one")
    assert recorded("two") is not None
    assert {"one", "two"} <= {*running(Caller())}
    listed = {each.lab: each.complete for each in summaries(Caller())}
    assert (listed["one"], listed["two"]) == (False, False)


def test_of_a_damaged_topology_it_is_told_that_the_lab_can_be_ended(tmp_path: Path) -> None:
    keep(tmp_path, "one", {**KEPT, "topology": "{}"})
    record = recorded("one")
    assert record is not None
    with pytest.raises(MachineError, match="labctl down one"):
        record.applied()


def test_where_there_is_no_directory_to_look_into_there_is_no_lab(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    for state in ("none", "file"):
        monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / state))
        assert (recorded("one"), recorded_labs()) == (None, [])
