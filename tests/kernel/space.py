"""A network namespace without a name, of root or of an ordinary user, in which a test may ask the kernel.

A question is a function that runs in a process of its own inside, whose
answer comes back pickled; so nothing of the test process is ever in another namespace.
"""

from __future__ import annotations

import ctypes
import os
import pickle
import signal
import subprocess
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from labctl.process.syscalls import CLONE_NEWNET, CLONE_NEWNS, CLONE_NEWUSER, MS_REC, mount, setns, unshare
from tests.e2e.world import MS_PRIVATE, ORDINARY_UID, SUITE_IS_ROOT, let_users_open_tun

T = TypeVar("T")
PR_SET_DUMPABLE = 4  # linux/prctl.h


def shell(script: str) -> str:
    """Run a shell where this process is, and return what it says."""
    done = subprocess.run(["sh", "-ec", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{script}: {done.stderr}"
    return done.stdout


class Space:
    """A namespace; `mode` is root or rootless: there it belongs to a user namespace of an ordinary user."""

    def __init__(self, mode: str) -> None:
        self.mode = mode
        self._namespaces = CLONE_NEWNET | (CLONE_NEWUSER if mode == "rootless" else 0)
        # The kernel asks who is root there when the namespace is made, as it is for what /proc shows of it.
        around = ["unshare", "--map-root-user"] if mode == "rootless" else []
        uid = ORDINARY_UID if mode == "rootless" and SUITE_IS_ROOT else None
        # It ends when the pipe into it is closed, whatever becomes of this process.
        self._holder = subprocess.Popen(
            [*around, "unshare", "--net", "cat"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd="/",
            user=uid,
            group=uid,
            extra_groups=None if uid is None else [],
        )
        assert self._holder.stdin and self._holder.stdout
        self._holder.stdin.write("there?\n")
        self._holder.stdin.flush()
        assert self._holder.stdout.readline() == "there?\n", "the namespace could not be made"
        self._pidfd = os.pidfd_open(self._holder.pid)
        self.sh("ip link set lo up")

    @property
    def pid(self) -> int:
        """Of a process inside."""
        return self._holder.pid

    def ask(self, question: Callable[[], T]) -> T:
        """Return what a function returns that is called inside."""
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                self.enter()
                answer = pickle.dumps((question(), ""))
            except BaseException:
                answer = pickle.dumps((None, traceback.format_exc()))
            with open(writer, "wb") as answers:
                answers.write(answer)
            os._exit(0)
        os.close(writer)
        with open(reader, "rb") as answers:
            found, failure = pickle.load(answers)
        os.waitpid(child, 0)
        assert not failure, failure
        return found  # type: ignore[no-any-return]

    def enter(self) -> None:
        """Bring this process, which has no other threads, inside for good, where it may open /dev/net/tun."""
        if self.mode == "rootless" and SUITE_IS_ROOT:
            unshare(CLONE_NEWNS)
            mount("", "/", flags=MS_REC | MS_PRIVATE)
            let_users_open_tun()
        setns(self._pidfd, self._namespaces)
        if self.mode == "rootless":
            os.setresgid(0, 0, 0)
            os.setresuid(0, 0, 0)
            ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 1)  # as a program is that was executed inside

    @contextmanager
    def holding(self, make: Callable[[], object]) -> Iterator[int]:
        """Have a process inside keep what a function makes; yields its PID."""
        ready, done = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                self.enter()
                kept = make()
                os.write(done, b"1")
                os.close(done)
                while kept:
                    signal.pause()
            finally:
                os._exit(1)
        os.close(done)
        with open(ready, "rb") as answers:
            assert answers.read() == b"1"
        try:
            yield child
        finally:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)

    def sh(self, script: str) -> str:
        """Run a shell inside and return what it says."""
        return self.ask(lambda: shell(script))

    def close(self) -> None:
        os.close(self._pidfd)
        self._holder.communicate()
