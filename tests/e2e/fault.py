"""labctl with a fault at a chosen step.

For `kill` and `interrupt` a step is the beginning or the end of a function that changes something outside of the
process: the journal, the kernel, other processes. There the whole command is killed, or gets a Ctrl-C. For `refuse` it
is a step of the plan, for `deny` a system call outside of it; both fail. For `bereave` it is the birth of a process,
which ends at once. For `stop` it is a namespace: once that is made, its process stops until SIGCONT.

The process that forks engines has the fault, too, for it is forked itself (forked.py). Where there are fewer steps than
the number, the last line on standard error is PAST: a test counts up until then and has tried every one.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import mmap
import os
import signal
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from types import FrameType
from typing import Any, NoReturn

from labctl import cli
from labctl.kernel import namespaces, perform, rtnetlink
from labctl.process import syscalls

PAST = "there is no such step"

CHANGING = {
    "state.py": {
        "begin", "record_namespace", "record_engine", "record_substitution", "record_firewall", "complete", "reset",
        "remove", "forget_namespace", "forget_engine", "forget_firewall",
    },
    "lock.py": {"_make_directories"},
    "run_directory.py": {"prepare_names", "tidy"},
    "forkserver_client.py": {"forkserver", "begin"},
    "processes.py": {"end", "kill"},
    "stray_processes.py": {"end_inside"},
    "namespaces.py": {
        "create", "_set_mark", "remove_own", "remove_claim", "make_directory", "remove_directory",
    },
    "syscalls.py": {"unshare", "mount", "unmount"},
    "perform.py": {"perform"},
    "holder.py": {"start_holder", "keep", "mount_private"},
    "context.py": {"_close"},
}  # fmt: skip


class Countdown:
    """Reaches zero once, in whichever of the processes of a command it is."""

    def __init__(self, number: int) -> None:
        self._left = memoryview(mmap.mmap(-1, 8)).cast("q")
        self._left[0] = number

    def __call__(self) -> bool:
        self._left[0] -= 1
        return self._left[0] == 0

    @property
    def is_past(self) -> bool:
        return self._left[0] <= 0


def signal_at(is_now: Countdown, number: signal.Signals) -> None:
    # What is in the foreground, as Ctrl-C reaches it; its group is 0 for who sees it from inside a PID namespace.
    foreground = (os.getpgrp(), 0)
    names = frozenset().union(*CHANGING.values())

    def look(frame: FrameType, event: str, _: Any) -> None:
        if event not in ("call", "return") or (name := frame.f_code.co_name) not in names:
            return  # as nearly always: only what is left is looked up
        steps = CHANGING.get(os.path.basename(frame.f_code.co_filename), ())
        if name in steps and os.getpgrp() in foreground and is_now():
            os.killpg(0, number)

    sys.setprofile(look)


def kill(is_now: Countdown) -> None:
    signal_at(is_now, signal.SIGKILL)


def interrupt(is_now: Countdown) -> None:
    signal_at(is_now, signal.SIGINT)


def refuse(is_now: Countdown) -> None:
    really = perform.Performer._perform

    def refusing(self: perform.Performer, step: Any) -> Any:
        if is_now():
            raise rtnetlink.Refused(errno.ENOBUFS, "as the test wants it")
        return really(self, step)

    perform.Performer._perform = refusing  # type: ignore[method-assign]


def deny(is_now: Countdown) -> None:
    class Denying:
        def __getattr__(self, name: str) -> Callable[..., int]:
            call = getattr(libc, name)

            def maybe(*arguments: Any) -> int:
                if not is_now():
                    return int(call(*arguments))
                ctypes.set_errno(errno.ENOMEM)
                return -1

            return maybe

    def denying(call: Callable[..., Any]) -> Callable[..., Any]:
        def maybe(*arguments: Any, **options: Any) -> Any:
            if is_now():
                raise OSError(errno.ENOMEM, os.strerror(errno.ENOMEM))
            return call(*arguments, **options)

        return maybe

    libc, syscalls._libc = syscalls._libc, Denying()  # type: ignore[assignment]
    os.fork, os.pipe, fcntl.ioctl = denying(os.fork), denying(os.pipe), denying(fcntl.ioctl)
    os.posix_spawn = denying(os.posix_spawn)


def bereave(is_now: Countdown) -> None:
    fork, spawn = os.fork, os.posix_spawn

    def stillborn(*words: Any, **options: Any) -> int:
        doomed = is_now()
        child = spawn(*words, **options)
        if doomed:
            os.kill(child, signal.SIGKILL)
        return child

    def bereaving() -> int:
        doomed = is_now()
        child = fork()
        if doomed and child == 0:
            os._exit(1)  # the first process of a PID namespace cannot kill itself
        if doomed:
            os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)  # it is gone before its maker goes on
        return child

    os.fork, os.posix_spawn = bereaving, stillborn


def stop(is_now: Countdown) -> None:
    create = namespaces.create

    def stopping(*arguments: Any) -> namespaces.Opened:
        made = create(*arguments)
        if is_now():
            os.kill(os.getpid(), signal.SIGSTOP)
        return made

    namespaces.create = stopping  # type: ignore[assignment]


def command(number: int, how: str, words: Sequence[str]) -> NoReturn:
    """labctl with these words and this fault at this step: the whole process, to its end."""
    countdown = Countdown(number)
    hows = {"kill": kill, "interrupt": interrupt, "refuse": refuse, "deny": deny, "bereave": bereave, "stop": stop}
    hows[how](countdown)
    sys.argv = ["labctl", *words]
    with ExitStack() as until_the_end:
        code = cli.run_cli(until_the_end)
        sys.stdout.flush()
        if not countdown.is_past:
            print(PAST, file=sys.stderr, flush=True)
        os._exit(code)
