"""The process that forks engines, and does nothing else.

A fork shares all memory with the child, and whatever either of them writes to is copied first; Python writes to all
that it looks at. So engines are not forked from the command, which knows topologies, netlink and terminals, but from
an interpreter of its own in which nothing is loaded but what an engine needs. It takes half the time to fork, what
Python does first in every child takes a quarter of it, and an engine has less memory that is only its own.
(multiprocessing.forkserver has the same idea.) It is started when the command is, and loads while that reads the file.

A request is one message of descriptors: of a file with a context and Tasks, of `go`, of the answers, and of what the
context itself takes. It forks them there and answers with their PIDs. Each prepares what it can, then waits for a byte
from `go`: none touches anything but files of its own before it is recorded. If the command ends, `go` is closed, and
every engine that has not begun ends.
"""

from __future__ import annotations

import gc
import os
import signal
import socket
from collections.abc import Sequence
from typing import NoReturn

from labctl.engine.kinds import preload
from labctl.errors import LabError, kernel_errors_as
from labctl.lab.engines.engine_process import Work, opened, work_of
from labctl.lab.engines.task import FORKER, Task
from labctl.process import pickling
from labctl.process.child import portable
from labctl.process.detach import close_all_but, release_inherited
from labctl.process.signals import TERMINATION
from labctl.process.title import set_title
from labctl.rootless.context import context_at

_MOST_DESCRIPTORS = 4


def main(requests: int) -> NoReturn:
    """Serve requests until the other end of their socket is closed."""
    for number in TERMINATION:
        signal.signal(number, signal.SIG_DFL)  # engines inherit it, and are to end whatever the caller ignores
    preload()
    gc.set_threshold(50_000)  # rarely: an engine makes almost no cycles
    gc.enable()
    gc.freeze()  # a collection would write to, and so copy, shared pages
    set_title("labctl: forks the engines of a lab")
    release_inherited((requests,))  # not sooner: an error of loading goes to standard error
    try:
        with socket.socket(fileno=requests) as server:
            while descriptors := socket.recv_fds(server, 16, _MOST_DESCRIPTORS)[1]:
                _serve(*descriptors)
    finally:
        os._exit(0)


def _serve(file: int, go: int, answers: int, *address: int) -> None:
    with open(file, "rb") as whole:
        lab, tasks = pickling.load(whole)
    with socket.socket(fileno=answers) as answer:
        ready: list[Task] = []
        try:
            ready.extend(map(opened, tasks))
            told: object = context_at(lab, address).call(lambda: _fork_all(ready, go, answer))
        except BaseException as error:
            told = portable(error)
        answer.send(pickling.dumps((FORKER, told)))
    for descriptor in (go, *address, *(each for task in ready for each in task.opened)):
        os.close(descriptor)


def _fork_all(tasks: Sequence[Task], go: int, answer: socket.socket) -> list[int]:
    works = [work_of(task) for task in tasks]  # before the first fork: what is written to after it is copied
    return [_fork(number, task, work, go, answer) for number, (task, work) in enumerate(zip(tasks, works, strict=True))]


def _fork(number: int, task: Task, work: Work, go: int, answer: socket.socket) -> int:
    """Fork a child that waits for a byte from `go`, and until then does nothing but open files of its own."""
    with kernel_errors_as(f"{task.name} could not be started"):
        pid = os.fork()
    if pid:
        return pid
    try:
        os.setsid()
        close_all_but((go, answer.fileno(), *task.opened))
        set_title(task.command)
        _live(number, work, go, answer)
    finally:
        os._exit(0)


def _live(number: int, work: Work, go: int, answer: socket.socket) -> None:
    """Do the work; until it is ready, an error is sent to the command."""

    def begin() -> None:
        if not os.read(go, 1):
            os._exit(0)
        os.close(go)

    def ready() -> None:
        answer.send(pickling.dumps((number, None)))
        answer.close()

    try:
        work(begin, ready)
    except LabError as error:
        if answer.fileno() >= 0:
            answer.send(pickling.dumps((number, error)))
