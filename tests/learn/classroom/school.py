"""One server, a teacher who is root, and students: ordinary users with numbers that only this test has."""

from __future__ import annotations

import json
import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

from labctl.process.processes import start_time
from labctl.process.syscalls import MS_BIND, mount
from tests.e2e.world import Keeper, World, eventually, unused_uid, world

NAMES = ("alice", "bob", "carol", "dave", "erin", "frank", "grace", "heidi")


class Student(World):
    """An ordinary user on the teacher's server."""

    def __init__(self, keeper: Keeper, uid: int, name: str, home: Path) -> None:
        self._uid = uid
        self.name = name
        super().__init__("rootless", keeper, home)

    @property
    def uid(self) -> int:
        return self._uid


class School:
    """The server: `teacher` is root there."""

    def __init__(self, teacher: World, homes: Path) -> None:
        self.teacher = teacher
        self._homes = homes
        self.students: list[Student] = []
        self._first = unused_uid()

    def enrol(self, number: int) -> None:
        """Make so many students, each with a home, whom the server knows by name."""
        for place in range(number):
            uid, name = self._first + place, NAMES[place] if place < len(NAMES) else f"student{place}"
            home = self._homes / name
            home.mkdir()
            os.chown(home, uid, uid)
            self.students.append(Student(self.teacher._keeper, uid, name, home))
        passwd = self._homes / "passwd"
        lines = [f"{each.name}:x:{each.uid}:{each.uid}::{each.home}:/bin/sh\n" for each in self.students]
        passwd.write_text(Path("/etc/passwd").read_text() + "".join(lines))
        self.teacher.inside(lambda: mount(str(passwd), "/etc/passwd", flags=MS_BIND))

    def together(self, *arguments: str, code: int | None = 0) -> None:
        """Have all students run the same command at once."""
        pipes: dict[str, Any] = {"stdin": -3, "stdout": -1, "stderr": -1}
        started = [student.start_labctl(*arguments, **pipes) for student in self.students]
        for process in started:
            out, err = process.communicate(timeout=120)
            assert code is None or process.returncode == code, out + err

    def processes(self) -> list[int]:
        """Return the processes of all students that have not ended: one look for all of them."""
        uids, found = {student.uid for student in self.students}, []
        for name in filter(str.isdigit, os.listdir("/proc")):
            with suppress(OSError):  # it has ended
                if os.stat(f"/proc/{name}").st_uid in uids and start_time(int(name)) is not None:
                    found.append(int(name))
        return found

    def close(self) -> None:
        """End all that students have left, and wait until it is gone."""
        for pid in self.processes():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        eventually(lambda: not self.processes(), "nothing of the students is left")


@contextmanager
def school(students: int) -> Iterator[School]:
    """Yield a server with students; at the end nothing of theirs is left."""
    homes = Path(tempfile.mkdtemp(prefix="labctl-school-"))
    homes.chmod(0o755)
    with ExitStack() as end, world("root") as teacher:
        end.callback(partial(shutil.rmtree, homes))
        made = School(teacher, homes)
        made.enrol(students)
        try:
            yield made
        finally:
            made.close()


def written(student: Student, path: str, text: str | bytes | dict[str, Any]) -> Path:
    """Return a file in the home of a student that has this text, or JSON."""
    file = student.home / path
    data = json.dumps(text).encode() if isinstance(text, dict) else text.encode() if isinstance(text, str) else text
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(data)
    for each in (file, *(up for up in file.parents if student.home in up.parents)):
        os.chown(each, student.uid, student.uid)
    return file
