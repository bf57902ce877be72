"""The collection of `ansible/`: the labs of a class over servers, which here are two names for one machine.

ansible-core runs as it does for a teacher, with the module on the same machine in place of ssh; the third server is one
that ssh does not reach.
"""

from __future__ import annotations

import csv
import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from labctl import __version__
from tests.e2e.world import REPO, World, eventually
from tests.learn.classroom.conftest import needs_root
from tests.learn.classroom.school import School, school

COLLECTION = REPO / "ansible"
PAGE = """
ansible-playbook -f 8 -i inventory.ini labctl.classroom.class -e lab_state=present -e topology=two-site
ansible-playbook -f 8 -i inventory.ini labctl.classroom.class -e file=checks.yaml
ansible-playbook -f 8 -i inventory.ini labctl.classroom.class -e file=checks.yaml --limit @results/failed
ansible-playbook -f 8 -i inventory.ini labctl.classroom.class -e lab_state=absent
labctl class results results
"""
PRESENT, VERIFIED, OF_THE_FAILED, ABSENT = (shlex.split(line) for line in PAGE.split("\n")[1:5])
CHECKS = """
checks:
  - name: across
    ping: {from: siteA, to: 10.0.102.1, count: 1, timeout: 0.3}
    crosses: ["siteA:tun0", "siteB:tun1"]
"""
UNREACHABLE = "#!/bin/sh\necho 'ssh: connect to host srv3 port 22: No route to host' >&2\nexit 255\n"


class Controller:
    """The teacher's machine, with the inventory of a class."""

    def __init__(self, made: School) -> None:
        self.made, self.home = made, made.teacher.home
        (self.home / "ansible_collections/labctl").mkdir(parents=True)
        (self.home / "ansible_collections/labctl/classroom").symlink_to(COLLECTION)
        labctl = self.program("labctl", f'#!/bin/sh\nPYTHONPATH={REPO} exec {sys.executable} -m labctl "$@"\n')
        ssh = self.program("ssh", UNREACHABLE)
        one, two = made.students
        made.teacher.file(
            "inventory.ini",
            f"[srv1]\n{one.name} ansible_host=srv1\n[srv2]\n{two.name} ansible_host=srv2\n"
            f"[srv3]\nzoe ansible_host=srv3 ansible_connection=ssh ansible_ssh_executable={ssh}\n"
            "[all:vars]\nansible_connection=local\nansible_become=false\n"
            f"ansible_python_interpreter={sys.executable}\nlabctl_executable={labctl}\n",
        )
        made.teacher.file("checks.yaml", CHECKS)

    def program(self, name: str, text: str) -> Path:
        path = Path(self.made.teacher.file(name, text))
        path.chmod(0o755)
        return path

    def run(self, words: list[str], *more: str, code: int) -> subprocess.CompletedProcess[str]:
        """Type a command of ansible-playbook."""
        environment = {
            "ANSIBLE_COLLECTIONS_PATH": str(self.home), "ANSIBLE_HOME": str(self.home / ".ansible"),
            "ANSIBLE_NOCOLOR": "1", "ANSIBLE_LOCALHOST_WARNING": "0", "ANSIBLE_SSH_RETRIES": "0",
        }  # fmt: skip
        command = [sys.executable, "-m", "ansible", "playbook", *words[1:], *more]
        return self.made.teacher.run(*command, code=code, env=environment)

    def results(self, code: int) -> dict[str, dict[str, Any]]:
        """Return what `labctl class results` says of each user."""
        return {each["user"]: each for each in self.made.teacher.json("class", "results", "results", code=code)}


@contextmanager
def controller() -> Iterator[Controller]:
    needs_root()
    if not os.environ.get("CI"):
        pytest.importorskip("ansible.release")  # the folder of that name has no such module
    with school(2) as made:
        yield Controller(made)


def changed(output: str) -> Mapping[str, bool]:
    """Return of each host that was reached whether something was changed, by the lines below PLAY RECAP."""
    recap = output.partition("PLAY RECAP")[2].splitlines()[1:]
    lines = [line.partition(" : ") for line in recap if " : " in line and "unreachable=0" in line]
    return {host.strip(): "changed=1" in words for host, _, words in lines}


def test_a_class_over_servers_from_the_first_lab_to_the_last() -> None:
    with controller() as here:
        stuck, good = here.made.students
        before = [student.snapshot() for student in here.made.students]
        reached = ["--limit", f"{stuck.name},{good.name}"]

        again = {"user": good.name, "executable": str(here.home / "labctl")}
        planned = module(here, **again, topology="two-site", _ansible_check_mode=True, _ansible_diff=True)
        assert planned["changed"] and "+ siteA: namespace" in planned["diff"]["prepared"]
        assert good.snapshot() == before[-1]

        assert changed(here.run(PRESENT, *reached, code=0).stdout) == {stuck.name: True, good.name: True}
        assert not module(here, **again, topology="two-site")["changed"]
        said = here.results(code=0)
        assert all(each["self_reported"] and not each["measured"] for each in said.values())

        stuck.labctl("impair", "siteA:tun0", "--loss", "100%")
        here.run(VERIFIED, code=4)
        found = here.results(code=1)
        assert {name: each["server"] for name, each in found.items()} == {
            stuck.name: "srv1",
            good.name: "srv2",
            "zoe": "srv3",
        }
        assert found[good.name]["ok"] and found[good.name]["measured"] and not found[good.name]["self_reported"]
        (lab,) = found[stuck.name]["labs"]
        assert lab["lab"] == "two-site" and [each["outcome"] for each in lab["checks"]["results"]] == ["silent"]
        assert found[stuck.name]["measured"] and "not passed: across (silent)" in found[stuck.name]["why"]
        assert not found["zoe"]["measured"] and "No route to host" in found["zoe"]["why"]
        assert (here.home / "results/failed").read_text().split() == [stuck.name, "zoe"]
        assert "@failed" in here.made.teacher.labctl("class", "results", "results", code=1).stdout

        stuck.labctl("impair", "siteA:tun0", "--loss", "0%")
        told = here.run(OF_THE_FAILED, code=4).stdout
        assert changed(told) == {stuck.name: False} and good.name not in told
        assert {name: each["ok"] for name, each in here.results(code=1).items()} == {
            stuck.name: True,
            good.name: True,
            "zoe": False,
        }
        assert (here.home / "results/failed").read_text() == "zoe\n"
        with open(here.home / "results/results.csv", newline="") as file:
            rows = {row["host"]: row for row in csv.DictReader(file)}
        assert {name: (row["server"], row["passed"]) for name, row in rows.items()} == {
            stuck.name: ("srv1", "1"),
            good.name: ("srv2", "1"),
            "zoe": ("srv3", ""),
        }

        assert changed(here.run(ABSENT, *reached, code=0).stdout) == {stuck.name: True, good.name: True}
        assert not module(here, **again, state="absent")["changed"]
        eventually(
            lambda: [student.snapshot() for student in here.made.students] == before, "nothing is left of the class"
        )


def module(here: Controller, person: World | None = None, /, **options: Any) -> dict[str, Any]:
    """Return what the module says on the server, called as Ansible calls it, by the teacher or another person."""
    arguments = here.made.teacher.file("arguments.json", json.dumps({"ANSIBLE_MODULE_ARGS": options}))
    command = [sys.executable, str(COLLECTION / "plugins/modules/lab.py"), arguments]
    done = (person or here.made.teacher).run(*command, code=None)
    said: dict[str, Any] = json.loads(done.stdout)
    return said


def test_what_fails_is_told_with_what_to_do() -> None:
    with controller() as here:
        student = here.made.students[0]
        labctl = str(here.home / "labctl")
        other = str(here.program("other", "#!/bin/sh\necho labctl, version 9.9\n"))
        shipped = {"user": student.name, "topology": "two-site"}
        for words, options in (
            (("cannot be run", "install it as root"), {**shipped, "executable": "/none"}),
            (("is labctl 9.9", __version__, "the same version"), {**shipped, "executable": other}),
            (("there is no user mallory", "inventory"), {**shipped, "user": "mallory"}),
            (("root is no student",), {**shipped, "user": "root"}),
            (("no file and no shipped topology", "two-site"), {**shipped, "topology": "two-sites"}),
            (
                ("has 1 mistake", "line 1: the key 'namespaces' is missing"),
                {"user": student.name, "content": "name: x"},
            ),
            (("there is no lab",), {"user": student.name, "state": "verified"}),
            (("ends all labs", "leave it out"), {**shipped, "state": "absent"}),
        ):
            said = module(here, **{"executable": labctl, **options})
            assert said["failed"], said
            assert all(word in said["msg"] for word in words), said["msg"]


def test_it_is_not_done_with_the_rights_of_the_student() -> None:
    """Whatever the module would say then, the student could have said."""
    with controller() as here:
        (student, _) = here.made.students
        said = module(here, student, user=student.name, state="verified")
        assert said["failed"] and not said["measured"] and "needs root" in said["msg"]
        assert "no become_user" in said["msg"]


@pytest.mark.parametrize(
    "words",
    [
        "",
        "[" * 100_000,
        '"two-site"',
        '{"lab": "two-site", "changes": 1}',
        '{"lab": "two-site", "changes": [{"subject": 1, "change": null}]}',
        '{"error": {"what": 1, "mistakes": {"line": 1}}}',
    ],
    ids=["nothing", "deep", "text", "number", "numbers", "error"],
)
def test_what_the_process_of_a_student_says_is_not_believed_in_its_form(words: str) -> None:
    with controller() as here:
        said = here.made.teacher.file("said", words)
        lies = here.program(
            "lies", f'#!/bin/sh\n[ "$1" = --version ] && echo "labctl, version {__version__}" || cat {said}\n'
        )
        told = module(here, user=here.made.students[0].name, topology="two-site", executable=str(lies))
        assert told["failed"] and not told["measured"] and told["msg"].startswith("labctl up two-site"), told


def test_the_collection_has_the_version_of_labctl() -> None:
    """The module refuses any other; and labctl itself knows nothing of Ansible."""
    assert f"version: {__version__} " in (COLLECTION / "galaxy.yml").read_text()
    assert f'VERSION = "{__version__}"' in (COLLECTION / "plugins/modules/lab.py").read_text()
    for file in (REPO / "labctl").rglob("*.py"):
        assert not re.search(r"^\s*(import|from) ansible\b", file.read_text(), re.MULTILINE), file
