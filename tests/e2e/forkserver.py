"""A process that forks commands of labctl for a test: it has loaded what most of them load, and nothing of the test.

A fork costs with the memory of what is forked, and a command forks again: the process of pytest has twice that of this
one. Each request comes with the three streams of a command and the end of a pipe, into which its PID is written.

The command has to be a child of the test, not of this process: clone(2) can do that, and os.fork() cannot. What Python
does around a fork is done here, too. glibc goes on with the thread ID of this process in a field of its own, which it
asks for nothing that a process with one thread does: raise(3) and abort(3) ask the kernel.
"""

from __future__ import annotations

import ctypes
import gc
import importlib
import inspect
import os
import pickle
import pkgutil
import platform
import signal
import socket
import struct
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, NamedTuple, NoReturn

import labctl
from labctl.process.title import set_title
from labctl.topology.model import Topology

LARGEST_REQUEST = 1 << 18
"""In bytes: more than a datagram of a Unix socket has room for."""
SELDOM_LOADED = tuple(
    f"labctl.{name}"
    for name in ("engine.batches", "learn", "pytest_plugin", "report.lesson", "topology.json_schema", "web")
)
"""What most commands do without, and what has the most memory: a command loads it itself."""
PR_SET_DUMPABLE = 4  # linux/prctl.h
_CAPABILITY_VERSION_3 = 0x20080522  # linux/capability.h
_CLONE = {"x86_64": 56, "aarch64": 220}[platform.machine()]  # syscalls(2)
_CLONE_PARENT = 0x8000  # linux/sched.h
_python = ctypes.PyDLL(None, use_errno=True)  # whose calls keep the interpreter lock
_python.syscall.argtypes, _python.syscall.restype = [ctypes.c_long] * 6, ctypes.c_long
_fork = os.fork


class Command(NamedTuple):
    """What a process is to be: who calls it `become` first, then calls `main` with these words and this environment."""

    become: Callable[[], None]
    main: Callable[[], None]
    words: Sequence[str]
    environment: Mapping[str, str]
    leads_session: bool


def serve(listening: int) -> None:
    """Fork a command for each request, until the test ends."""
    requests = socket.socket(fileno=listening)
    for module in pkgutil.walk_packages(labctl.__path__, "labctl."):
        if not module.name.startswith(SELDOM_LOADED) and not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    Topology.load("two-site")  # has the readers of a file made
    set_title("tests: forks their commands")  # which finds its room only before the environment is another
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the test
    gc.collect()
    gc.disable()  # not to be done while Python is prepared for a fork, nor in memory that is shared
    while True:
        request, descriptors, *_ = socket.recv_fds(requests, LARGEST_REQUEST, 4)
        if not request:
            return
        if child := _fork_child_of_parent():
            os.write(descriptors[3], str(child).encode())
            for descriptor in descriptors:
                os.close(descriptor)
        else:
            _to_its_end(partial(_begin, request, descriptors[:3]))


def _fork_child_of_parent() -> int:
    """Do as os.fork(), but have the new process be a child of the parent of this one."""
    _python.PyOS_BeforeFork()
    child: int = _python.syscall(_CLONE, _CLONE_PARENT | signal.SIGCHLD, 0, 0, 0, 0)
    if child == 0:
        _python.PyOS_AfterFork_Child()
        return 0
    _python.PyOS_AfterFork_Parent()
    if child < 0:
        raise OSError(ctypes.get_errno(), "clone")
    return child


def _begin(request: bytes, streams: Sequence[int]) -> None:
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
    command: Command = pickle.loads(request)
    if command.leads_session:
        os.setsid()
    _like_new(command.words, command.environment)
    command.become()
    _as_execve_leaves_it()
    os.closerange(3, os.sysconf("SC_OPEN_MAX"))  # the end of the pipe, too: the test waits for that
    os.posix_spawn = spawn_python  # type: ignore[assignment]
    subprocess.Popen = Popen  # type: ignore[misc]
    command.main()


def spawn_python(
    _: str, words: Sequence[str], environment: Mapping[str, str], *, setsid: bool = False, streams: Sequence[int] = ()
) -> int:
    """Do as os.posix_spawn does with `python -c CODE`: fork a process that runs the code."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    if child := _fork():
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        return child
    # As of a program that is just being executed: until Python has begun, Ctrl-C ends it without a word.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    if setsid:
        os.setsid()
    signal.pthread_sigmask(signal.SIG_SETMASK, before)
    for number, stream in enumerate(streams):
        os.dup2(stream, number)

    def begin() -> None:
        sys.setprofile(None)
        for descriptor in map(int, os.listdir("/proc/self/fd")):
            with suppress(OSError):  # that of the list itself
                if not os.get_inheritable(descriptor):
                    os.close(descriptor)
        _like_new(["-c"], dict(environment))
        exec(words[-1], {})

    _to_its_end(begin)


class Popen(subprocess.Popen[Any]):
    """A program that is executed; where it is Python code of labctl (process/python_code.py), a fork that runs it.

    It is executed, too, by a process with threads: another one might hold a lock for ever in the fork.
    """

    def _execute_child(self, *arguments: Any) -> None:
        streams, pipes, named = begun(super()._execute_child, arguments)  # type: ignore[misc]
        words = named["args"]
        if words[:4] != [sys.executable, "-S", "-P", "-c"] or threading.active_count() > 1:
            super()._execute_child(*arguments)  # type: ignore[misc]
            return
        setsid, environment = named["start_new_session"], named["env"] or os.environ
        self.pid = spawn_python("", words, environment, setsid=setsid, streams=streams)
        self._child_created = True
        self._close_pipe_fds(*pipes)  # type: ignore[attr-defined]


def begun(execute: Callable[..., None], arguments: Sequence[Any]) -> tuple[list[int], list[int], dict[str, Any]]:
    """Return the streams of a process that subprocess is to start, the pipes, and its arguments by their names."""
    named = dict(zip(inspect.signature(execute).parameters, arguments, strict=True))
    pipes = [named[end] for end in ("p2cread", "p2cwrite", "c2pread", "c2pwrite", "errread", "errwrite")]
    return [number if end == -1 else end for number, end in enumerate((pipes[0], pipes[3], pipes[5]))], pipes, named


def _to_its_end(program: Callable[[], None]) -> NoReturn:
    """Call what a new process does, and end it as Python ends one."""
    code = 1
    try:
        program()
        code = 0
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else 0
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        os._exit(code)


def _as_execve_leaves_it() -> None:
    """Have what execve(2) would have done after a change of the user, or of the user namespace (capabilities(7))."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(PR_SET_DUMPABLE, 1)
    if os.geteuid() != 0 and libc.capset(struct.pack("=Ii", _CAPABILITY_VERSION_3, 0), bytes(24)):
        raise OSError(ctypes.get_errno(), "capset")


def _like_new(words: Sequence[str], environment: Mapping[str, str]) -> None:
    """Put back what has been changed of a new interpreter."""
    gc.freeze()  # what others have loaded stays shared with them
    gc.enable()
    sys.argv = list(words)
    os.environ.clear()
    os.environ.update(environment)
    warnings.resetwarnings()
    warnings.simplefilter("ignore")
    sys.excepthook = sys.__excepthook__
    for handled in signal.valid_signals():
        if signal.getsignal(handled) not in (None, signal.SIG_DFL, signal.SIG_IGN):
            signal.signal(handled, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for ignored in (signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(ignored, signal.SIG_IGN)
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        setattr(sys, name, open(number, "w" if number else "r", closefd=False))  # noqa: SIM115  # for good
