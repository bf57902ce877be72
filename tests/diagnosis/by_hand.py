"""A lab that runs, and a person who types commands in its namespaces without labctl: nsenter(1), ip, nft, kill.

For an ordinary user the lab is in a rootless environment. That person has all rights there, as its owner.
"""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from labctl.errors import ExitCode
from tests.diagnosis.fault import PROGRAM, Commands, Edit
from tests.e2e.world import REPO, World, eventually

LABS = Path(__file__).with_name("labs")
ENGINE = re.compile(r"ENGINE\[(\w+)\]")
KILL = re.compile(r"kill -KILL (\d+)")


class Refused(Exception):
    """A command of a fault that failed: what it said."""


def text_of(lab: str, edits: tuple[Edit, ...] = ()) -> str:
    """Return the file of a lab with these mistakes in it; the checks of shipped labs wait no longer than ours."""
    own = LABS / f"{lab}.yaml"
    text = own.read_text() if own.exists() else _impatient((REPO / "topologies" / f"{lab}.yaml").read_text())
    for edit in edits:
        assert text.count(edit.right) == 1, f"{edit.right!r} stands {text.count(edit.right)} times in {lab}"
        text = text.replace(edit.right, edit.wrong)
    return text


def _impatient(text: str) -> str:
    text = re.sub(r"(ping: \{(?:(?!timeout)[^}])*)\}", r"\1, timeout: 0.3}", text)
    return re.sub(r"(nc: \{(?:(?!timeout)[^}])*)\}", r"\1, timeout: 0.7}", text)


class RunningLab:
    """A lab in a world, and what was started in it."""

    def __init__(self, here: World, name: str, text: str) -> None:
        """Raise Refused where this machine lacks what the lab needs."""
        self.here = here
        self.name = name
        self.text = text
        self._up()
        self._programs: list[subprocess.Popen[str]] = []

    def verify(self, *checks: str) -> Any:
        """Return what `verify` says of these checks, of all where none is named."""
        done = self.here.labctl("verify", "-l", self.name, "-f", "json", *checks, code=None)
        answer = json.loads(done.stdout or "{}")
        assert "checks" in answer, f"verify ended with {done.returncode}\n{done.stdout}\n{done.stderr}"
        return answer

    def forget_paths(self) -> None:
        """Have the kernel forget what it has learned of the size of paths, which outlives a fault."""
        flush = "ip route flush cache; ip -6 route flush cache"
        each = f"for net in /run/netns/*; do nsenter --net=$net sh -c '{flush}'; done"
        self.here.run(*self._enter_environment(), "sh", "-c", each)

    def type(self, commands: Commands) -> None:
        """Type commands in namespaces, one after the other. Raise Refused with what the first said that failed."""
        for namespace, command in commands:
            self._type(namespace, self._with_processes(command))

    def _type(self, namespace: str, command: str) -> None:
        if command.startswith("program "):
            words = f"exec {PROGRAM} {command.removeprefix('program ')}"
            process = self.here.start(
                [*self._enter(namespace), "sh", "-c", words], stdout=subprocess.PIPE, stderr=subprocess.PIPE
            )
            self._programs.append(process)
            assert process.stdout is not None and process.stderr is not None
            if process.stdout.readline() != "ready\n":
                raise Refused(f"{command}: {process.stderr.read()}")
            return
        done = self.here.run(*self._enter(namespace), "sh", "-c", command, code=None)
        if done.returncode:
            raise Refused(f"{command}: {done.stderr.strip() or done.stdout.strip()}")
        for killed in KILL.findall(command):
            eventually(partial(self._is_gone, int(killed)), f"{killed} is gone")

    def correct(self, edits: Iterable[Edit]) -> None:
        """Take mistakes out of the file, and have labctl make it so."""
        for edit in edits:
            self.text = self.text.replace(edit.wrong, edit.right)
        self._up()

    def _up(self) -> None:
        done = self.here.labctl("up", self.here.file(f"{self.name}.yaml", self.text), code=None)
        if done.returncode == ExitCode.CANNOT:
            raise Refused(done.stderr)
        assert done.returncode == ExitCode.SUCCESS, done.stderr

    def do(self, fix: str) -> None:
        """Type, in the shell from which the lab was started, what a diagnosis says."""
        environment = {"PATH": f"{Path(sys.executable).parent}:/usr/sbin:/usr/bin:/sbin:/bin"}
        words = shlex.split(fix, comments=True)
        if words[:1] == ["labctl"] and not set(fix) & set("|;&<>$`\n"):
            self.here.labctl(*words[1:], code=None)
        else:
            self.here.run("sh", "-c", fix, code=None, env=environment)

    def end_programs(self) -> None:
        """End what was started; what it has started in turn ended with the lab."""
        for process in self._programs:
            process.kill()
            process.communicate()

    @cached_property
    def _holder(self) -> int | None:
        """The first process of the rootless environment."""
        return next((pid for pid, _ in self.here.processes() if _pids(pid)[1:] == [1]), None)

    def _enter_environment(self) -> list[str]:
        if self._holder is None:
            return []
        return ["nsenter", "-t", str(self._holder), "--preserve-credentials", "-U", "-m", "-p", "--"]

    def _enter(self, namespace: str) -> list[str]:
        return [*self._enter_environment(), "nsenter", f"--net=/run/netns/{namespace}", "--"]

    def _with_processes(self, command: str) -> str:
        return ENGINE.sub(lambda found: str(_pids(self._reader(found[1]))[-1]), command)

    def _reader(self, device: str) -> int:
        """Return the process that has a TUN device open."""
        (reader,) = (pid for pid, _ in self.here.processes() if _has_open(pid, device))
        return reader

    def _is_gone(self, inner: int) -> bool:
        return all(_pids(pid)[-1:] != [inner] for pid, _ in self.here.processes())


def _has_open(pid: int, device: str) -> bool:
    try:
        return any(f"iff:\t{device}\n" in file.read_text() for file in Path(f"/proc/{pid}/fdinfo").iterdir())
    except OSError:
        return False


def _pids(pid: int) -> list[int]:
    """The numbers of a process in the PID namespaces that it is in, the outermost first."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return []
    return [int(word) for word in status.partition("NSpid:")[2].splitlines()[0].split()]


@contextmanager
def lab(here: World, name: str, edits: tuple[Edit, ...] = ()) -> Iterator[RunningLab]:
    """Start a lab with mistakes in its file, and take it down."""
    running = RunningLab(here, name, text_of(name, edits))
    try:
        yield running
    finally:
        here.labctl("down", "-l", name)
        running.end_programs()
