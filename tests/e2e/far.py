"""labctl at work on one host of several, for a test that asks it for one thing after another.

A request is a line: a pickled function and its arguments, in base64; so is the answer, which is what the function
returned, or the LabError that it raised. The test is the only one that writes there.
"""

from __future__ import annotations

import base64
import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from labctl.api.caller import Caller
from labctl.errors import LabError
from labctl.process.syscalls import mount
from tests.e2e.world import let_users_open_tun, let_users_reach
from tests.engine.world import REPOSITORY, Namespace

T = TypeVar("T")


class Host:
    """A host in namespaces of its own, and labctl there."""

    def __init__(self, uid: int = 0) -> None:
        """Have labctl work there as root, or as an ordinary user."""
        self.space = Namespace("--net", "--mount")
        words = self.space.command(sys.executable, "-m", "tests.e2e.far", str(uid))
        pipe = subprocess.PIPE
        there = os.environ | {"PYTHONPATH": str(REPOSITORY)}  # nsenter(1) begins in the root directory
        self._far = subprocess.Popen(words, stdin=pipe, stdout=pipe, stderr=pipe, text=True, env=there)
        self.space.started.append(self._far)

    def do(self, function: Callable[..., T], *arguments: Any) -> T:
        """Return what a function returns there. Raise what it raises."""
        self.ask(function, *arguments)
        found: T = self.answer()
        return found

    def ask(self, function: Callable[..., Any], *arguments: Any) -> None:
        """Have a function called there; its `answer` comes later."""
        assert self._far.stdin
        self._far.stdin.write(base64.b64encode(pickle.dumps((function, arguments))).decode() + "\n")
        self._far.stdin.flush()

    def answer(self) -> Any:
        assert self._far.stdout
        line = self._far.stdout.readline()
        assert line, self._far.communicate()[1]
        answer = pickle.loads(base64.b64decode(line))
        if isinstance(answer, BaseException):
            raise answer
        return answer

    def close(self) -> None:
        self.space.close()


def inside(lab: str, function: Callable[..., T], *arguments: Any) -> T:
    """Return what a function returns where a lab lives."""
    from labctl.lab.own_labs import context_of

    return context_of(lab).call(partial(function, *arguments))


def received(work: Callable[..., T], *arguments: Any) -> T:
    """Return what a piece of work returns, as one that was received."""
    with ExitStack() as until_the_end:
        caller = Caller(until_the_end=until_the_end)
        done = work(*arguments, caller)
        for each in caller.if_received:
            each()
    return done


def furnish(uid: int) -> None:
    """Have in this mount namespace what a host gives to its users, and go on as one of them."""
    mount("tmpfs", "/run", "tmpfs", data="mode=0755")
    let_users_reach(REPOSITORY, Path(sys.prefix), Path(sys.base_prefix))
    let_users_open_tun()
    words = (sys.executable, "-m", "tests.e2e.far")
    become = ("setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups") if uid else ()
    os.execvp((*become, *words)[0], (*become, *words))


def main() -> None:
    """Answer until standard input ends."""
    for line in sys.stdin:
        function, arguments = pickle.loads(base64.b64decode(line))
        try:
            answer: object = function(*arguments)
        except LabError as error:
            answer = error
        print(base64.b64encode(pickle.dumps(answer)).decode(), flush=True)


if __name__ == "__main__":
    if sys.argv[1:]:
        furnish(int(sys.argv[1]))
    main()
