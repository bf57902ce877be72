"""`labctl lesson test` proves what a lesson claims, and names what it claims falsely."""

from __future__ import annotations

import json
import os
import signal
import subprocess

import pytest

from labctl.learn.lesson.shipped import folders, load_named
from tests.e2e.reader import install
from tests.e2e.world import World, eventually

FALSE = """\
---
title: False claims
minutes: 1
topology: two-site
steps:
  - name: holds-already
    check: [{name: across, ping: {from: siteA, to: 10.0.102.1, count: 1}}]
    hints: [{goal: across, text: Never told.}]
    solve: [{in: siteA, run: "true"}]
  - name: answered
    answer:
      - {name: number, question: "How many?", is: "four(teen)?", example: fifteen}
  - name: refused
    setup: [{in: siteB, run: ip addr del 10.0.102.1/24 dev tun1}]
    check: [{name: across, ping: {from: siteA, to: 10.0.102.1, count: 1, timeout: 0.2}}]
    solve: [{in: siteB, run: ip addr add nonsense dev tun1}]
---
## One
## Two
## Three
"""


def proofs(here: World, lesson: str, code: int) -> dict[str, list[str]]:
    steps = json.loads(here.labctl("lesson", "test", lesson, "-f", "json", code=code).stdout)["steps"]
    return {step["step"]: step["findings"] for step in steps}


STEPS = [(name, step.name) for name in folders() for step in load_named(name, 1).steps]
BY_TURNS = [(("root", "rootless")[number % 2], *each) for number, each in enumerate(STEPS)]


@pytest.mark.parametrize(("here", "lesson", "step"), BY_TURNS, indirect=["here"])
def test_a_step_that_ships_does_what_it_claims(here: World, lesson: str, step: str) -> None:
    install(here)
    path = f"{here.home}/bin:{os.environ['PATH']}"
    done = here.labctl("lesson", "test", str(folders()[lesson]), "--step", step, code=None, env={"PATH": path})
    assert done.returncode == 0, done.stdout


def test_a_step_that_is_not_there_is_told(as_user: World) -> None:
    assert "no step 'loook'" in as_user.labctl("lesson", "test", "cable", "--step", "loook", code=2).stderr


def test_a_folder_that_may_not_be_read_is_told(as_user: World) -> None:
    closed = as_user.home / "closed"
    closed.mkdir(mode=0)
    for path in ("closed/lesson", f"./{'x' * 300}"):
        assert "cannot be read" in as_user.labctl("lesson", "test", path, code=2).stderr
    closed.rmdir()  # as an ordinary user nothing could look into it


def test_a_new_lesson_does_what_it_claims(here: World) -> None:
    here.labctl("lesson", "new", "mine")
    assert proofs(here, "mine", 0) == {"reach-the-other-site": []}
    assert "is there already" in here.labctl("lesson", "new", "mine", code=2).stderr


def test_false_claims_are_named(as_user: World) -> None:
    as_user.file("lesson.md", FALSE)
    found = proofs(as_user, ".", 1)
    assert any("before anything was done" in one for one in found["holds-already"])
    assert any("'Never told.' is not told" in one for one in found["holds-already"])
    assert any("the lab refuses it" in one and "nonsense" in one for one in found["refused"])
    assert any("'fifteen'" in one and "not taken as right" in one for one in found["answered"])


def test_ctrl_c_takes_a_lab_along_that_is_half_set_up(as_user: World) -> None:
    begun = as_user.home / "begun"
    setup = f"{{in: siteA, run: touch {begun} && sleep 60}}"
    as_user.file("lesson.md", FALSE.replace("- name: holds-already", f"- name: holds-already\n    setup: [{setup}]"))
    with as_user.start_labctl("lesson", "test", ".", stdout=subprocess.PIPE, stderr=subprocess.PIPE) as proving:
        eventually(begun.exists, "it is set up")
        proving.send_signal(signal.SIGINT)
        assert "interrupted" in proving.communicate()[1] and proving.returncode == 130
    assert as_user.json("list") == []


def test_a_lab_of_that_name_that_is_not_the_lesson_s_is_left_alone(as_user: World) -> None:
    as_user.labctl("lesson", "new", "mine")
    as_user.labctl("up", "two-site")
    assert "not the one of this lesson" in as_user.labctl("lesson", "test", "mine", code=1).stdout
    assert as_user.labctl("verify", "underlay").stdout
    as_user.labctl("down")
