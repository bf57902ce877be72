"""What a strict type checker makes of a program that uses labctl."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.e2e.world import REPO

PROGRAM = """
from __future__ import annotations

import subprocess
from typing import assert_type

from labctl import ChecksFailed, CommandFailed, Lab, LabError, Namespace, Process, Topology

topology = Topology(name="x", namespaces={"left": {}}, checks=[{"name": "c", "ping": {"from": "left", "to": "::1"}}])
assert_type(Topology.load("two-site"), Topology)
with Lab.up(topology, name="y", tied=True) as lab:
    assert_type(lab, Lab)
    assert_type(lab["left"], Namespace)
    assert_type(lab["left"].run(["true"], check=True, timeout=1, input=""), subprocess.CompletedProcess[str])
    with lab["left"].popen("cat", stdin=subprocess.PIPE) as process:
        assert_type(process, Process)
        assert_type(process.wait(1), int)
    found = lab.verify("c", notify=lambda result: print(result.name, result.passed)).raise_for_failures()
    assert_type(found.passed, bool)
    assert_type([change.reason for change in found.drift], list[str])
    assert_type(lab.status().namespaces["left"] is None, bool)
    assert_type(lab.impair("left:tun0", loss="10%", direction="in").device, str)
    with lab.capture("left", filter="icmp") as capture:
        assert_type([packet.frame for packet in capture.packets], list[bytes])
    for at, event in lab.events():
        assert_type(at, float)
        print(event.words)
    assert_type(list(lab.logs(follow=True)), list[str])
    assert_type(lab.graph("svg"), str)
    assert_type(lab.why("left", "::1").reached, bool)
    assert_type(lab.trace("c").exit_code, int)
assert_type(Lab.running(), tuple[Lab, ...])
assert_type(Lab.plan("two-site").file, str)
try:
    Lab("y").down()
except CommandFailed as failed:
    assert_type(failed.returncode, int)
except ChecksFailed as failures:
    assert_type(failures.verified.passed, bool)
except LabError as error:
    print(error.what, error.why, error.hint)
"""


def checked(program: Path) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, "-m", "mypy", "--config-file", "pyproject.toml", str(program)]
    return subprocess.run(words, cwd=REPO, capture_output=True, text=True)


def test_a_program_that_uses_labctl_is_typed(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    done = checked(program)
    assert done.stdout.startswith("Success"), done.stdout + done.stderr


def test_a_mistake_in_such_a_program_is_found(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text('from labctl import Lab\nLab("x").verify(1)\nLab("x")["a"].run("true").stduot\n')
    done = checked(program)
    assert done.stdout.count("error:") == 2, done.stdout + done.stderr
