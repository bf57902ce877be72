"""A person who types what a page or a lesson shows, and compares what comes of it; CONTRIBUTING.md has the rules."""

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

from tests.docs.pages import Command, missing
from tests.e2e.world import DEADLINE, World

PROGRAMS = {
    "labctl": "-m labctl",
    "ttun": "-m labctl.engine.ttun",
    "python3": "",
    "pytest": "-m pytest -p no:cacheprovider -p xdist -p labctl.pytest_plugin",
}


def install(here: World) -> None:
    """Give a person the programs that a reader of a page has."""
    (here.home / "bin").mkdir(exist_ok=True)
    for name, words in PROGRAMS.items():
        program = Path(here.file(f"bin/{name}", f'#!/bin/sh\nexec {sys.executable} {words} "$@"\n'))
        program.chmod(0o755)


class Reader:
    """A reader who types commands; what they leave running in the background ends with the context manager."""

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
