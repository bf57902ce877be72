"""What students may plant for root to step on: what root sees of it is a word, and none of it is obeyed."""

from __future__ import annotations

import json
import os
import pickle
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from labctl.learn.classroom.people import MOST_LABS
from tests.learn.classroom.conftest import needs_root
from tests.learn.classroom.school import School, Student, school, written
from tests.learn.classroom.test_cheats import running
from tests.learn.classroom.test_class import CHECKS
from tests.process.test_apart import Planted

PLACE = ".local/state/labctl/learn"
ESCAPE = "\x1b]0;owned\x07\x1b[2J\N{RIGHT-TO-LEFT OVERRIDE}"


def progress(**changes: Any) -> dict[str, Any]:
    """A file about a lesson, as labctl writes it, with changes."""
    steps = [
        {"name": "look", "began": 1.0, "done": 9.0, "hints": 2, "skipped": False, "reached": [], "predicted": ""},
        {"name": "count", "began": 9.0, "done": 0.0, "hints": 0, "skipped": False, "reached": [], "predicted": ""},
    ]
    known = {"lesson": "cable", "seed": 7, "lab": "cable", "step": 1, "of": 2, "since": time.time() - 300}
    return {**known, "steps": steps, **changes}


@contextmanager
def planted() -> Iterator[dict[str, dict[str, Any]]]:
    """Yield what the teacher is told of students who have planted something at home, by what that is."""
    plants = (plain, pickled, linked, to_another, never_ending, huge, deep, escaping, many, wrong)
    with school(len(plants)) as made:
        for plant, student in zip(plants, made.students, strict=True):
            plant(student, made)
        made.teacher.labctl("class", "roster", made.teacher.file("roster.csv", roster_of(made)))
        begun = time.monotonic()
        found = made.teacher.json("class", "--quick")
        assert time.monotonic() - begun < 30
        table = made.teacher.labctl("class", "--quick").stdout
        assert "\x1b" not in table and "owned" not in table
        assert not (made.teacher.home / "planted").exists()
        names = {student.name: plant.__name__ for plant, student in zip(plants, made.students, strict=True)}
        yield {names[row["user"]]: row for row in found}


def roster_of(made: School) -> str:
    """A roster of all students."""
    return "user\n" + "".join(f"{student.name}\n" for student in made.students)


def plain(student: Student, made: School) -> None:
    """Nothing but a lesson."""
    written(student, f"{PLACE}/cable.json", progress())


def pickled(student: Student, made: School) -> None:
    """A pickle that makes a directory where it is loaded."""
    data = pickle.dumps(Planted(made.teacher.home / "planted"))
    written(student, f"{PLACE}/cable.json", data)
    written(student, f"{PLACE}/journal", data)


def linked(student: Student, made: School) -> None:
    """Links to a file that only root may read: as the file, and as the directory of a part of the way."""
    secret = made.teacher.home / "secret.json"
    secret.write_text(json.dumps(progress(lesson="secret")))
    secret.chmod(0o600)
    written(student, f"{PLACE}/x", "")
    (student.home / PLACE / "cable.json").symlink_to(secret)


def to_another(student: Student, made: School) -> None:
    """The whole directory is a link to that of root."""
    (folder := made.teacher.home / "folder").mkdir(mode=0o700)
    (folder / "cable.json").write_text(json.dumps(progress(lesson="secret")))
    written(student, ".local/state/labctl/x", "")
    (student.home / PLACE).symlink_to(folder)


def never_ending(student: Student, made: School) -> None:
    """FIFOs and sockets that never answer."""
    written(student, f"{PLACE}/x", "")
    for name in ("a.json", "b.json"):
        os.mkfifo(student.home / PLACE / name)
        os.chown(student.home / PLACE / name, student.uid, student.uid)
    (student.home / PLACE / "c.json").mkdir()
    (student.home / PLACE / "zero.json").symlink_to("/dev/zero")


def huge(student: Student, made: School) -> None:
    """A gigabyte."""
    os.truncate(written(student, f"{PLACE}/cable.json", "{"), 1 << 30)


def deep(student: Student, made: School) -> None:
    """Brackets that never close, and a number that takes for ever."""
    written(student, f"{PLACE}/a.json", '{"lesson":' + "[" * 100_000)
    written(student, f"{PLACE}/b.json", '{"step": ' + "9" * 200_000 + "}")


def escaping(student: Student, made: School) -> None:
    """Texts that a terminal obeys."""
    written(student, f"{PLACE}/cable.json", progress(lesson=f"cable{ESCAPE}"))
    written(student, f"{PLACE}/{ESCAPE.replace('/', '')}.json", progress(lab=f"=cmd{ESCAPE}"))


def many(student: Student, made: School) -> None:
    """More files than are looked at."""
    for number in range(200):
        written(student, f"{PLACE}/{number}.json", progress())


def wrong(student: Student, made: School) -> None:
    """Values of other kinds."""
    changes: tuple[dict[str, Any], ...] = (
        {"step": -1}, {"step": True}, {"step": 10}, {"of": 1e400}, {"since": "now"}, {"since": float("nan")},
        {"steps": [[]]}, {"steps": {}}, {"steps": [{}] * 5000}, {"lesson": "../../etc/passwd"}, {"seed": None},
        {"lesson": ["x"]}, {"lab": 7},
    )  # fmt: skip
    for number, change in enumerate(changes):
        written(student, f"{PLACE}/{number}.json", progress(**change))


def test_what_is_planted_at_home_is_told_and_not_obeyed() -> None:
    needs_root()
    with planted() as rows:
        lesson = rows["plain"]["lesson"]
        assert lesson["self_reported"] and (lesson["lesson"], lesson["step"], lesson["of"]) == ("cable", 2, 2)
        assert lesson["hints"] == 2 and 290 < time.time() - lesson["since"] < 400 and rows["plain"]["remarks"] == []
        assert rows["many"]["lesson"]["lesson"] == "cable"  # of the first of them
        for plant in ("linked", "to_another", "never_ending", "huge"):  # no plain file of theirs: not read
            assert rows[plant]["lesson"] is None and rows[plant]["remarks"] == [], plant
        for plant, files in (
            ("pickled", "1 file"),
            ("deep", "2 files"),
            ("escaping", "2 files"),
            ("wrong", "13 files"),
        ):
            assert rows[plant]["lesson"] is None, plant
            assert rows[plant]["remarks"] == [f"{files} about lessons not understood"], plant


NAMES = """
import os, socket, time
kept = []
def claim(name, backlog):
    each = socket.socket(socket.AF_UNIX)
    try:
        each.bind(b"\\0labctl/" + name)
    except OSError:
        return
    if backlog is not None:
        each.listen(backlog)
    kept.append(each)
mine = str(os.getuid()).encode()
claim(mine + b"/silent", 0)                     # listens, and never accepts
for _ in range(3):
    waiting = socket.socket(socket.AF_UNIX)
    waiting.setblocking(False)
    try:
        waiting.connect(b"\\0labctl/" + mine + b"/silent")
    except OSError:
        pass
    kept.append(waiting)
claim(mine + b"/claimed", None)                 # does not even listen
claim(mine + b"/fake", 5)                       # is no environment
claim(b"%d/two-site" % (os.getuid() + 1), 5)    # the name of another student's lab
claim(mine + b"/\\x1b[2Jowned", 5)
claim(mine + b"/two\\n0000: 00000002 00000000 00010000 0001 01 7 @labctl/0/root", 5)
for number in range(100):
    claim(mine + b"/a%d" % number, 5)
print("ready", flush=True)
while True:
    time.sleep(1)
"""

HOLDS_PORT = """
import ctypes, socket
name = ctypes.create_string_buffer(b"\\x1b[2Jowned")
ctypes.CDLL(None).prctl(15, name, 0, 0, 0)
server = socket.socket()
server.bind(("10.0.101.1", 8000))
server.listen(1)
print("ready", flush=True)
while True:
    server.accept()
"""


def test_names_and_sockets_are_only_words() -> None:
    needs_root()
    with school(2) as made:
        bad, victim = made.students
        made.together("up", "two-site")
        checks = made.teacher.file("checks.yaml", CHECKS)
        with running(bad, "", NAMES), running(victim, "siteA", HOLDS_PORT):
            labs = [(row["user"], row["lab"]) for row in made.teacher.json("class", "--quick")]
            assert sorted(labs) == [(bad.name, "two-site"), (victim.name, "two-site")]
            told = made.teacher.labctl("class", "verify", victim.name, "--checks", checks, code=None)
            assert "\x1b" not in told.stdout and "lab two-site: 3 of 4 passed\n" in told.stdout
            assert "???? hello" in told.stdout
            (row,) = made.teacher.json("class", "verify", victim.name, "--checks", checks, code=5)
            (hello,) = (each for each in row["checks"]["results"] if each["name"] == "hello")
            assert not hello["asked"] and "\N{REPLACEMENT CHARACTER}[2Jowned" in hello["observed"]
            assert f"{bad.name}: lab two-site is ended" in made.teacher.labctl("class", "reset", bad.name).stdout


MANY_LABS = """
import ctypes, os, socket, time
names = [os.pipe() for _ in range(20)]
user, group = os.getuid(), os.getgid()
for number, (reader, writer) in enumerate(names):
    if os.fork():
        continue
    assert ctypes.CDLL(None).unshare(0x10000000 | 0x20000000) == 0  # a user namespace and a PID namespace
    if os.fork():
        os.wait()
        os._exit(0)
    each = socket.socket(socket.AF_UNIX)
    each.bind(b"\\0labctl/%d/a%d" % (user, number))
    each.listen(5)
    os.write(writer, b".")
    time.sleep(1000)
for reader, writer in names:
    os.close(writer)
    assert os.read(reader, 1)
print("ready", flush=True)
time.sleep(1000)
"""


def test_a_lab_behind_many_others_is_ended_too() -> None:
    needs_root()
    with school(1) as made:
        (student,) = made.students
        student.labctl("up", "two-site")
        with running(student, "", MANY_LABS):
            rows = made.teacher.json("class", "--quick")
            assert len(rows) == MOST_LABS and rows[0]["remarks"] == [f"{21 - MOST_LABS} more labs, not looked at"]
            ended = [each["lab"] for each in made.teacher.json("class", "reset", student.name)]
            assert "two-site" in ended and len(ended) == 21
            assert made.teacher.json("class", "verify", student.name, code=5)[0]["checks"]["why"] == "there is no lab"
        assert made.teacher.labctl("class", "verify", code=5).stdout  # of whom nothing was measured nothing has passed


TAKES_A_NAME = """
import socket, time
each = socket.socket(socket.AF_UNIX)
each.bind(b"\\0labctl/%d/two-site")
each.listen(5)
print("ready", flush=True)
while True:
    time.sleep(1)
"""


def test_who_takes_the_name_of_anothers_lab_is_told() -> None:
    needs_root()
    with school(2) as made:
        bad, victim = made.students
        with running(bad, "", TAKES_A_NAME % victim.uid):
            told = victim.labctl("up", "two-site", code=2).stderr
            assert "the name of lab two-site is taken" in told and f"by user {bad.name}" in told and "--name" in told
            assert victim.json("list") == []
            assert [row["lab"] for row in made.teacher.json("class", "verify", victim.name, code=5)] == [""]


def test_state_of_a_lab_is_not_read_by_root() -> None:
    """Journal, topology and sockets of a lab are pickles and rubbish: the teacher's side asks the kernel alone."""
    needs_root()
    with school(1) as made:
        (student,) = made.students
        student.labctl("up", "two-site")
        planted = made.teacher.home / "planted"
        data = pickle.dumps(Planted(planted))
        spoil = f"""
import os
for folder, _, files in os.walk("/run/labctl/two-site"):
    for name in files:
        path = os.path.join(folder, name)
        os.unlink(path)
        open(path, "wb").write({data!r})
"""
        student.labctl("exec", "siteA", "--", sys.executable, "-c", spoil)
        checks = made.teacher.file("checks.yaml", CHECKS)
        assert "4 of 4 passed" in made.teacher.labctl("class", "verify", "--checks", checks).stdout
        made.teacher.labctl("class", "reset", student.name)
        assert not planted.exists() and made.processes() == []
