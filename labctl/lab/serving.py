"""What the process of an engine does, from its first moment to its last.

All this is loaded once, in the process that forks engines, and shared by them: so nothing is imported here but what an
engine needs.
"""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TextIO, cast

from labctl.engine.endpoint import serve
from labctl.engine.errors import EngineError
from labctl.engine.jail import NOBODY
from labctl.engine.ttun import endpoint_of
from labctl.errors import KernelRefused, LabError, UsageError, refused
from labctl.kernel import directory, view
from labctl.kernel.detach import say_to
from labctl.kernel.syscalls import CLONE_NEWNET, setns
from labctl.lab.capped import CappedLog
from labctl.lab.task import Task

Say = Callable[[], None]
Work = Callable[[Say, Say], None]
"""What the process of an engine does. It calls the first argument before it touches the lab's network, which returns
when it may, and the second once it forwards. Raises LabError."""


def work_of(task: Task) -> Work:
    """What is to be done for a task; whatever can be worked out before the process is forked is."""
    forward = _program(task) if task.program else _built_in(task)

    def work(begin: Say, ready: Say) -> None:
        def enter() -> None:
            begin()
            _enter(task.namespace)

        with refused(f"{task.name} could not be started"):
            say_to(str(task.log))
        with refused(f"{task.name} broke off"), _logged():
            forward(enter, ready)

    return work


def _built_in(task: Task) -> Work:
    endpoint = endpoint_of(shlex.split(task.command)[1:])

    def work(enter: Say, ready: Say) -> None:
        def forwarding(engaged: list[str]) -> None:
            print(f"ttun: {task.device} forwards; offload engaged: {' '.join(engaged) or 'none'}", flush=True)
            ready()

        try:
            ending = serve(
                endpoint,
                counters_path=task.counters,
                control_path=task.control,
                begin=enter,
                ready=forwarding,
                out=cast("TextIO", CappedLog(sys.stdout)),
                run_as=NOBODY if task.run_as is None else task.run_as,
            )
        except EngineError as error:
            raise KernelRefused(f"{task.name} cannot start: {error.what}", error.why, error.hint) from None
        print(f"ttun: {task.device} {ending.value}", flush=True)

    return work


def _program(task: Task) -> Work:
    def work(enter: Say, ready: Say) -> None:
        enter()
        for problem in view.show(task.namespace.name):
            print(problem, file=sys.stderr, flush=True)
        directory.return_to(task.called_from)
        if task.run_as is not None:
            os.setgroups([])
            os.setresgid(task.run_as, task.run_as, task.run_as)
            os.setresuid(task.run_as, task.run_as, task.run_as)
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # Python ignores it, and exec would hand that on
        if shutil.which(task.program[0]) is None:
            raise UsageError(
                f"{task.name} cannot be run: {task.command}",
                f"there is no program {task.program[0]!r}, or it may not be run",
                "install it, or correct `engine:` in the file",
            )
        ready()
        os.execvp(task.program[0], task.program)

    return work


def _enter(namespace: Path) -> None:
    # Only now: when this process was forked, there may have been none. And without waiting, as a FIFO would make us.
    fd = os.open(namespace, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    setns(fd, CLONE_NEWNET)
    os.close(fd)


@contextmanager
def _logged() -> Iterator[None]:
    """What goes wrong in the body goes into the log too: later it is the one place where it can be read."""
    try:
        yield
    except BaseException as error:
        with suppress(OSError):  # the disk may be full
            print(error if isinstance(error, LabError) else traceback.format_exc(), file=sys.stderr)
        raise
    finally:
        with suppress(OSError):
            sys.stdout.flush()
