"""The commands of the pages, typed in order: they end as the pages say, and write what the pages show."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Self

import pytest

from tests.docs.pages import PAGES, Command, blocks, json_keys, missing
from tests.e2e.world import DEADLINE, World

PROGRAMS = {
    "labctl": "-m labctl",
    "ttun": "-m labctl.engine.ttun",
    "python3": "",
    "pytest": "-m pytest -p no:cacheprovider -p xdist -p labctl.pytest_plugin",
}
AS_ROOT = ("docs/commands.md",)
TYPED = [page for page in PAGES if any(block.language == "console" and not block.elsewhere for block in blocks(page))]


@pytest.mark.parametrize("page", TYPED, ids=str)
def test_the_commands_of_a_page_do_what_it_says(page: Path, request: pytest.FixtureRequest) -> None:
    here: World = request.getfixturevalue("as_root" if str(page) in AS_ROOT else "as_user")
    (here.home / "bin").mkdir(exist_ok=True)
    for name, words in PROGRAMS.items():
        program = Path(here.file(f"bin/{name}", f'#!/bin/sh\nexec {sys.executable} {words} "$@"\n'))
        program.chmod(0o755)
    for block in blocks(page):
        if block.file:
            here.file(block.file, block.text)
        if block.language == "console" and not block.elsewhere:
            with Reader(here) as reader:
                for command in block.commands:
                    reader.type(command)
    here.labctl("down", "--all")


def test_the_json_has_the_keys_that_the_page_of_commands_names(as_user: World) -> None:
    documented = dict(json_keys(Path("docs/commands.md")))
    calls = {
        "up": ["up", "two-site"],
        "plan": ["plan", "two-site"],
        "verify": ["verify", "underlay"],
        "why": ["why", "siteA", "10.0.102.1"],
        "status": ["status"],
        "list": ["list"],
        "trace": ["trace", "underlay"],
        "restart": ["restart"],
        "impair": ["impair", "siteA:tun0", "--show"],
        "validate": ["validate", "two-site"],
        "topologies": ["topologies"],
        "export": ["export", "two-site"],
        "graph": ["graph"],
        "doctor": ["doctor"],
        "down": ["down"],
    }
    for command, words in calls.items():
        shown = as_user.json(*words)
        assert set(shown[0] if isinstance(shown, list) else shown) == documented.pop(command), command
    assert documented == {}


class Reader:
    """A reader who types the commands of one block; what they leave running in the background ends with the block."""

    def __init__(self, here: World) -> None:
        self._here = here
        self._log = Path(here.file("background.log", ""))
        self._background: list[subprocess.Popen[str]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._background:
            process.terminate()
            process.wait()

    def type(self, command: Command) -> None:
        """Type a command and look at its end; beside something in the background, until that is ready for it."""
        if command.line.endswith("&"):
            with self._log.open("a") as log:
                line = f"exec {command.line.removesuffix('&')}"
                self._background.append(self._start(line, stdout=log, stderr=log, stdin=subprocess.DEVNULL))
            return
        run = self._run_until_interrupted if command.until_interrupted else self._run
        deadline = time.monotonic() + (DEADLINE if self._background else 0)
        while (problem := _problem(command, *run(command))) and time.monotonic() < deadline:
            pass
        assert not problem, problem

    def _run(self, command: Command) -> tuple[int, str]:
        """Run a command to its end; return its exit code and what the terminal shows."""
        if re.fullmatch(r"labctl [^|<>&;$()]+", command.line):
            done = self._here.labctl(*shlex.split(command.line)[1:], code=None)
        else:
            done = self._here.run("bash", "-c", command.line, code=None, env=self._environment)
        return done.returncode, done.stdout + done.stderr + self._log.read_text()

    def _run_until_interrupted(self, command: Command) -> tuple[int, str]:
        """Run a command until Ctrl-C, which is typed when it has written two lines."""
        with self._start(f"exec {command.line}", stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
            assert process.stdout is not None
            seen = process.stdout.readline() + process.stdout.readline()
            process.send_signal(signal.SIGINT)
            seen += process.stdout.read()
        return process.returncode, seen

    def _start(self, line: str, **options: Any) -> subprocess.Popen[str]:
        return self._here.start(["bash", "-c", line], env=self._environment, **options)

    @property
    def _environment(self) -> dict[str, str]:
        of_pytest = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "TMPDIR": str(self._here.home)}
        return {"PATH": f"{self._here.home}/bin:{os.environ['PATH']}", **of_pytest}


def _problem(command: Command, code: int, output: str) -> str:
    """Return what is not as the page says, empty where all is."""
    lacking = missing(command.shown, output)
    if code == command.code and not lacking:
        return ""
    return f"{command.line}\nended with {code}, not {command.code}; lacks {lacking}\n{output}"
