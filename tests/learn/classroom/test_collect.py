"""What students hand in from laptops: a table of files that each could have written by hand, and is marked as that."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from labctl.checks.results import Result
from labctl.learn.classroom.submission import Refused, Submission, collect, submit
from labctl.learn.classroom.tables import csv_of
from labctl.learn.progress import StepProgress, begun
from labctl.topology.model import Topology
from tests.learn.classroom.test_hostile import ESCAPE, progress

PASSED = Result("across", "", True, True, "answered", "", "", (), "")
FAILED = Result("back", "", False, True, "silent", "", "", (), "")


def run(*words: str) -> tuple[int, str]:
    """Return the exit code of labctl, and what it has written: its errors where that is nothing else."""
    done = subprocess.run([sys.executable, "-m", "labctl", *words], capture_output=True, text=True, check=False)
    return done.returncode, done.stdout or done.stderr


@pytest.fixture
def handed_in(tmp_path: Path) -> Path:
    """A directory with a good file and with bad ones."""
    topology = Topology(name="x", namespaces={"left": {}})
    submit(tmp_path / "alice.json", progress(), [PASSED, FAILED], topology)
    good = json.loads((tmp_path / "alice.json").read_text())
    assert good["topology"]["name"] == "x" and good["progress"]["steps"][0]["hints"] == 2

    def bad(name: str, value: Any) -> None:
        (tmp_path / name).write_text(value if isinstance(value, str) else json.dumps({**good, **value}))

    bad("b-nothing.json", "")
    bad("c-other.json", "{}")
    bad("d-user.json", {"user": f"eve{ESCAPE}"})
    bad("e-step.json", {"progress": progress(step=7)})
    bad("f-checks.json", {"checks": [{"name": "x", "passed": "yes"}]})
    bad(f"g{ESCAPE.replace('/', '')}.json", "[" * 100_000)
    os.truncate(tmp_path / "b-nothing.json", 1 << 30)
    os.mkfifo(tmp_path / "h.json")
    (tmp_path / "i.json").symlink_to("/etc/passwd")
    (tmp_path / "j.json").mkdir()
    return tmp_path


def test_what_is_not_understood_is_refused_file_by_file(handed_in: Path) -> None:
    found = list(collect(handed_in))
    (taken,) = (each for each in found if isinstance(each, Submission))
    assert (taken.file, taken.passed, taken.failed) == ("alice.json", ("across",), ("back",))
    refused = {each.file[0]: each.why for each in found if isinstance(each, Refused)}
    assert set(refused) == set("bcdefghij")
    assert refused["b"].startswith("it is longer than") and refused["c"] == "labctl learn --submit has not written it"
    assert refused["d"] == "`user` is no name" and refused["h"] == "it is no plain file"
    assert all(text.isprintable() for text in (*refused.values(), *(each.file for each in found)))


def test_the_table_is_marked_as_self_reported(handed_in: Path) -> None:
    code, table = run("class", "collect", str(handed_in))
    assert code == 1 and "1 of 2 passed; failed: back" in table and "reported of themselves" in table
    assert "\x1b" not in table and "c-other.json was refused" in table
    code, text = run("class", "collect", str(handed_in), "-f", "json")
    assert [each["self_reported"] for each in json.loads(text) if "refused" not in each] == [True]
    code, text = run("class", "collect", str(handed_in), "-f", "csv")
    assert len(list(csv.DictReader(io.StringIO(text)))) == 10


def test_progress_as_labctl_keeps_it_is_understood(tmp_path: Path) -> None:
    known = begun("tun", 7, "two-site", ["look", "count"])
    known = replace(known.with_current(StepProgress("look", began=5.0, done=65.0, hints=1)), since=5.0)
    submit(tmp_path / "x.json", known.written)
    (found,) = collect(tmp_path)
    assert isinstance(found, Submission)
    assert (found.lesson.step, found.lesson.of, found.lesson.hints, found.lesson.seconds) == (1, 2, 1, 60.0)


@pytest.mark.parametrize("name", ["alice@example.org", "EXAMPLE\\alice", "Zoë", "o'brien", "_svc$"])
def test_users_and_lessons_are_called_as_they_are(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("labctl.learn.classroom.submission.user_name", lambda _: name)
    results = [replace(PASSED, name=f"check-{number}", observed="x" * 4000) for number in range(100)]
    submit(tmp_path / "x.json", progress(lesson="Übung 1 (neu)"), results)
    (found,) = collect(tmp_path)
    assert isinstance(found, Submission) and (found.user, found.lesson.lesson) == (name, "Übung 1 (neu)")


def test_no_directory_is_told(tmp_path: Path) -> None:
    with pytest.raises(Exception, match="cannot be read"):
        list(collect(tmp_path / "none"))


@pytest.mark.parametrize("cell", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1"])
def test_no_cell_is_a_formula(cell: str) -> None:
    assert csv_of([{"lab": cell}]).splitlines()[1].lstrip('"').startswith("'")


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("--checks", "mine.yaml", "verify"), "labctl class verify"),
        (("-f", "json", "reset", "alice"), "labctl class reset"),
        (("verify", "--step", "2"), "no lesson is named"),
    ],
)
def test_an_option_that_would_say_nothing_is_refused(words: tuple[str, ...], why: str) -> None:
    code, said = run("class", *words)
    assert code == 2 and why in said
