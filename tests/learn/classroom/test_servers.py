"""The results of a class over servers, as they are kept and read: what is measured is told from what is only said."""

from __future__ import annotations

import csv
import importlib.util
import io
import json
import math
import sys
from dataclasses import asdict
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from labctl.errors import UsageError
from labctl.learn.classroom.listing import Row
from labctl.learn.classroom.measure import Measured, result_of
from labctl.learn.classroom.reported import Reported, Step
from labctl.learn.classroom.servers import Found, results
from labctl.learn.classroom.submission import Refused, submit
from labctl.learn.classroom.tables import class_as_values
from tests.e2e.world import REPO
from tests.learn.classroom.test_collect import FAILED, PASSED, run
from tests.learn.classroom.test_hostile import ESCAPE, progress

STEPS = (Step("look", 900.0, 1000.0, 2, False), Step("go", None, None, 0, False))
LESSON = Reported("tun", 7, 2, 4, 1000.0, STEPS, "x")


def collection() -> ModuleType:
    """Return the part of the collection that keeps results; it needs no Ansible."""
    spec = importlib.util.spec_from_file_location("kept_results", REPO / "ansible/plugins/plugin_utils/results.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


KEPT = collection()


def keep(folder: Path, host: str, state: str = "verified", **found: Any) -> None:
    KEPT.keep(str(folder), KEPT.Result(host, "srv1", host, state, 2000.0, found))


def labs(*measured: Measured) -> list[dict[str, Any]]:
    """Return labs as `labctl class verify -f json` has them."""
    return class_as_values([Row("alice", 1000, "x", measured=each, lesson=LESSON) for each in measured])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The results of a class: passed, failed, not reached, made."""
    keep(tmp_path, "alice", measured=True, labs=labs(Measured((PASSED,))), msg="1 of 1")
    keep(tmp_path, "bob", measured=True, failed=True, labs=labs(Measured((PASSED, FAILED))), msg="1 of 2")
    keep(tmp_path, "carol", unreachable=True, failed=True, msg=f"mux{ESCAPE}\r\nssh: no route")
    keep(tmp_path, "dave", "present", measured=False, changes=[], msg="lab x: nothing to do")
    return tmp_path


def test_what_is_kept_is_what_is_read(folder: Path) -> None:
    found = {each.user: each for each in results(folder) if isinstance(each, Found)}
    assert [(each.ok, each.measured, each.self_reported) for each in found.values()] == [
        (True, True, False),
        (False, True, False),
        (False, False, False),
        (True, False, True),
    ]
    (lab,) = found["bob"].labs
    assert lab.measured == Measured((PASSED, FAILED)) and lab.lesson == LESSON
    assert found["carol"].why.isprintable() and found["carol"].why.endswith("; ssh: no route")
    assert found["alice"].server == "srv1" and found["alice"].at == 2000.0


def test_the_table_marks_what_is_self_reported(folder: Path) -> None:
    code, table = run("class", "results", str(folder))
    rows = {line.split()[0]: line for line in table.splitlines() if line}
    assert code == 1 and "\x1b" not in table and "~ lesson" in rows["user"]
    assert "1 of 2 passed; failed: back" in rows["bob"] and "srv1" in rows["bob"] and "no route" in rows["carol"]
    assert "~ present" in rows["dave"] and "~" not in rows["alice"] and "reported of themselves" in table
    code, text = run("class", "results", str(folder), "-f", "json")
    values = {each["user"]: each for each in json.loads(text)}
    assert values["alice"]["labs"][0]["lesson"]["self_reported"] and values["alice"]["measured"]
    code, text = run("class", "results", str(folder), "-f", "csv")
    records = {each["user"]: each for each in csv.DictReader(io.StringIO(text))}
    assert records["bob"]["failed"] == "back" and records["bob"]["self_reported_lesson"] == "tun"


def test_all_well_is_exit_code_0(tmp_path: Path) -> None:
    keep(tmp_path, "alice", measured=True, labs=labs(Measured((PASSED,))))
    assert run("class", "results", str(tmp_path))[0] == 0


def test_who_is_not_of_a_run_keeps_what_they_had(folder: Path) -> None:
    assert (folder / "failed").read_text() == "bob\ncarol\n"
    keep(folder, "bob", measured=True, labs=labs(Measured((PASSED,)), Measured((PASSED,))))
    assert (folder / "failed").read_text() == "carol\n"
    with open(folder / "results.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["host"] for row in rows] == ["alice", "bob", "bob", "carol", "dave"]
    assert {row["host"]: row["ok"] for row in rows} == {"alice": "yes", "bob": "yes", "carol": "no", "dave": "yes"}


def test_of_none_who_failed_there_is_no_file(folder: Path) -> None:
    """ansible-playbook takes an empty file of `--limit @failed` for all hosts."""
    for host in ("bob", "carol"):
        keep(folder, host, measured=True)
    assert not (folder / "failed").exists()


def test_no_name_of_a_host_leads_elsewhere_and_no_cell_is_a_formula(tmp_path: Path) -> None:
    keep(tmp_path / "results", "../-eve", failed=True, msg="=HYPERLINK()")
    assert [path.name for path in tmp_path.iterdir()] == ["results"]
    with open(tmp_path / "results/results.csv", newline="") as file:
        (row,) = csv.DictReader(file)
    assert row["why"] == "'=HYPERLINK()"
    assert (tmp_path / "results/failed").read_text() == "../-eve\n"


def test_of_a_module_that_did_not_begin_it_is_kept_what_the_server_wrote(tmp_path: Path) -> None:
    keep(tmp_path, "alice", failed=True, msg="no JSON", module_stderr="Warning: new key\nsudo: unable to begin\n")
    (found,) = results(tmp_path)
    assert isinstance(found, Found) and found.why == "no JSON; sudo: unable to begin"


NO_NUMBER = {"place": "x:eth0", "counter": "rx", "expected": "1", "observed": math.inf, "holds": True}


@pytest.mark.parametrize(
    "wrong", [{"seconds": math.inf}, {"seconds": math.nan}, {"seconds": 10**400}, {"evidence": [NO_NUMBER]}]
)
def test_a_number_that_is_none_is_no_result(wrong: dict[str, Any]) -> None:
    assert result_of(asdict(PASSED)) == PASSED
    with pytest.raises(ValueError):
        result_of({**asdict(PASSED), **wrong})


def test_what_no_server_has_measured_is_refused(folder: Path) -> None:
    good = json.loads((folder / "alice.json").read_text())
    submit(folder / "handed-in.json", progress(), [PASSED])
    forged = {"labctl-submission": 1, **good}
    bad = {**asdict(PASSED), "outcome": "wonderful"}
    broken = {**good, "labs": [{"lab": "x", "checks": {"results": [bad], "why": ""}}]}
    for name, value in (("forged", forged), ("other", {}), ("state", {**good, "state": "done"}), ("check", broken)):
        (folder / f"{name}.json").write_text(json.dumps(value))
    (folder / "link.json").symlink_to("alice.json")
    refused = {each.file: each.why for each in results(folder) if isinstance(each, Refused)}
    assert set(refused) == {f"{name}.json" for name in ("handed-in", "forged", "other", "state", "check", "link")}
    assert "class collect" in refused["handed-in.json"] and "class collect" in refused["forged.json"]
    assert run("class", "results", str(folder))[0] == 1


def test_a_directory_where_any_user_can_write_proves_nothing(folder: Path) -> None:
    folder.chmod(0o777)
    with pytest.raises(UsageError, match="proves nothing"):
        list(results(folder))
    with pytest.raises(UsageError, match="cannot be read"):
        list(results(folder / "none"))
