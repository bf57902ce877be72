"""Work in processes whose word counts for little: as other users, several at once, each with an end to everything.

What such a process does is our own code, but it works on what another person controls, and that person may stop it or
kill it. So what it says is read as JSON and never as pickle, up to a number of bytes, up to a moment; whatever is left
of it then is killed. A process that not even that ends at once, because a file system of that person keeps the kernel
waiting (FUSE), is left to itself.
"""

from __future__ import annotations

import json
import os
import resource
import select
import signal
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, NoReturn

from labctl.errors import LabError, kernel_words
from labctl.frozen import frozen
from labctl.process.detach import release_inherited
from labctl.process.signals import fork
from labctl.process.syscalls import be_untraceable, die_with_parent

LINGERING = 1.0
"""Seconds that are waited for a process that was killed."""

_PART = 1 << 16
_LIMITS: Mapping[int, int] = {resource.RLIMIT_CORE: 0, resource.RLIMIT_AS: 2 << 30, resource.RLIMIT_NOFILE: 1 << 10}


@frozen
class Limits:
    """How long a process may take, in seconds of the machine's own clock, and how many bytes it may say."""

    seconds: float = 10.0
    most: int = 1 << 18


@frozen
class Answer:
    """What a process has said; `why` says in words why there is nothing, and is empty where there is."""

    value: Any = None
    why: str = ""


class _Apart:
    """One process and the pipe on which it says something."""

    def __init__(self, work: Callable[[], object], limits: Limits) -> None:
        self.limits, self._said = limits, bytearray()
        self.end = time.monotonic() + limits.seconds
        self.pipe, writer = os.pipe()
        try:
            os.set_blocking(self.pipe, False)
            parent = os.getpid()
            self.pid = fork()
        except BaseException:
            os.close(self.pipe)
            os.close(writer)
            raise
        if not self.pid:
            _work(work, writer, parent, limits)
        os.close(writer)
        self._process = os.pidfd_open(self.pid)

    def read(self) -> Answer | None:
        """Take in all that is there: it was said in time. Return the answer once it is whole or too long, else None."""
        with suppress(BlockingIOError):
            while part := os.read(self.pipe, _PART):
                self._said += part
                if len(self._said) > self.limits.most:
                    return Answer(why=f"the answer is longer than {self.limits.most:,} bytes")
            return self._answer()
        return None

    def _answer(self) -> Answer:
        if not self._said:
            return Answer(why="its process was ended before it had answered")
        try:
            found = json.loads(self._said)
        except (ValueError, RecursionError):
            return Answer(why="its process was ended amidst its answer")
        if not isinstance(found, dict) or ("value" in found) == ("why" in found):
            return Answer(why="the answer is not understood")
        return Answer(found.get("value"), str(found.get("why", "")))

    def close(self) -> None:
        """Kill what is left of it."""
        os.close(self.pipe)
        with suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._process, signal.SIGKILL)
        ended = select.poll()
        ended.register(self._process, select.POLLIN)
        if ended.poll(LINGERING * 1000):
            os.waitpid(self.pid, 0)
        os.close(self._process)


def answers(
    works: Sequence[Callable[[], object]], at_once: int, limits: Limits | None = None
) -> Generator[tuple[int, Answer], None, None]:
    """Do several pieces of work, each in a process of its own, so many at once, and yield the answers as they come.

    What a work returns has to be what JSON knows. Its number in the sequence comes with the answer.
    """
    limits = limits or Limits()
    waiting = list(enumerate(works))[::-1]
    running: dict[int, tuple[int, _Apart]] = {}
    try:
        while waiting or running:
            while waiting and len(running) < at_once:
                number, work = waiting.pop()
                process = _Apart(work, limits)
                running[process.pipe] = number, process
            for pipe, answer in _said(running):
                number, process = running.pop(pipe)
                process.close()
                yield number, answer
    finally:
        for _, process in running.values():
            process.close()


def _said(running: Mapping[int, tuple[int, _Apart]]) -> list[tuple[int, Answer]]:
    """Wait until a process says something, or the time of one is over. Return the answers that are whole by then."""
    ready = select.poll()
    for pipe in running:
        ready.register(pipe, select.POLLIN)
    first = min(process.end for _, process in running.values())
    said = [pipe for pipe, _ in ready.poll(max(0.0, first - time.monotonic()) * 1000)]
    found = {pipe: answer for pipe in said if (answer := running[pipe][1].read())}
    now = time.monotonic()
    for pipe, (_, process) in running.items():
        if pipe not in found and now >= process.end:
            found[pipe] = Answer(why=f"there was no answer within {process.limits.seconds:g} s")
    return list(found.items())


def answer(work: Callable[[], object], limits: Limits | None = None) -> Answer:
    """Do some work in a process of its own. Return what it says."""
    return next(answers([work], 1, limits))[1]


def as_user(uid: int, gid: int, work: Callable[[], object]) -> Callable[[], object]:
    """Return work that is done with the rights of another user, and none of ours."""
    return partial(_as_user, uid, gid, work)


def _as_user(uid: int, gid: int, work: Callable[[], object]) -> object:
    become(uid, gid)
    return work()


def become(uid: int, gid: int) -> None:
    """Become another user for good, without any group but the first, whose other processes cannot trace this one."""
    parent = os.getppid()
    os.setgroups([])
    os.setresgid(gid, gid, gid)
    os.setresuid(uid, uid, uid)
    be_untraceable()
    die_with_parent(parent)  # the kernel has forgotten it


def _work(work: Callable[[], object], pipe: int, parent: int, limits: Limits) -> NoReturn:
    try:
        os.setsid()
        release_inherited([pipe])
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGPIPE):
            signal.signal(number, signal.SIG_DFL)
        os.environ.clear()
        for limit, most in {**_LIMITS, resource.RLIMIT_CPU: int(limits.seconds) + 1}.items():
            resource.setrlimit(limit, (most, most))
        die_with_parent(parent)
        said = _said_of(work)
        while said:
            said = said[os.write(pipe, said) :]
    finally:
        os._exit(0)


def _said_of(work: Callable[[], object]) -> bytes:
    try:
        return json.dumps({"value": work()}).encode()
    except LabError as error:
        why = ": ".join(part for part in (error.what, error.why) if part)
    except OSError as error:
        why = kernel_words(error)
    except Exception as error:
        why = f"{type(error).__name__}: {error}"
    return json.dumps({"why": why}).encode()
