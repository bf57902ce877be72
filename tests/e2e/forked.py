"""A command of labctl in a fork of the test: what Python and labctl load is loaded once, and not a thousand times.

It is the command as it is executed otherwise, from its entry point to its exit code, with streams, environment,
directory, signals and rights of its own. So is the process that it starts to fork engines. With LABCTL_TEST_EXECUTED=1
each is executed after all, for what only that can show: a module that is loaded where its file is no longer to be seen.
"""

from __future__ import annotations

import ctypes
import gc
import importlib
import os
import pkgutil
import signal
import struct
import subprocess
import sys
import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import cache, partial
from typing import Any, NoReturn

import labctl
from labctl.topology.model import Topology

EXECUTED = bool(os.environ.get("LABCTL_TEST_EXECUTED"))
PR_SET_DUMPABLE = 4  # linux/prctl.h
_CAPABILITY_VERSION_3 = 0x20080522  # linux/capability.h
_fork = os.fork


def start(
    main: Callable[[], NoReturn],
    words: Sequence[str],
    environment: Mapping[str, str],
    become: Callable[[], None],
    **options: Any,
) -> subprocess.Popen[str]:
    """Fork a process that calls `main`, as if it were a program with these words that has just been executed.

    `become` is called first, as `preexec_fn` would be. subprocess takes the end of its pipe to the child for a
    successful execve(2), and the pipe ends when the child closes what it has inherited.
    """
    load()

    def begin() -> None:
        _like_new(words, environment)
        become()
        _as_execve_leaves_it()
        os.closerange(3, os.sysconf("SC_OPEN_MAX"))
        os.posix_spawn = spawn_python  # type: ignore[assignment]
        main()

    return subprocess.Popen(list(words), preexec_fn=partial(_to_its_end, begin), text=True, **options)


def spawn_python(_: str, words: Sequence[str], environment: Mapping[str, str], *, setsid: bool = False) -> int:
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

    def begin() -> None:
        sys.setprofile(None)
        for descriptor in map(int, os.listdir("/proc/self/fd")):
            with suppress(OSError):  # that of the list itself
                if not os.get_inheritable(descriptor):
                    os.close(descriptor)
        _like_new(["-c"], dict(environment))
        exec(words[-1], {})

    _to_its_end(begin)


def _to_its_end(program: Callable[[], None]) -> NoReturn:
    """Call what a new process does, and end it as Python ends one."""
    code = 1
    try:
        program()
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


@cache
def load() -> None:
    """Load all of labctl, and have the readers of a file made, once, for every command that is forked from here on."""
    for module in pkgutil.walk_packages(labctl.__path__, "labctl."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    Topology.load("two-site")


def _like_new(words: Sequence[str], environment: Mapping[str, str]) -> None:
    """Put back what the test has changed of a new interpreter."""
    gc.freeze()  # whatever was garbage in the test may not close files of the command
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
