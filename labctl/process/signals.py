"""The signals that end a command: Ctrl-C, kill(1), and a terminal that is closed; ignored or delayed for a while."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import NoReturn

TERMINATION = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""The signals that ask a process to end."""

ENDING = (signal.SIGTERM, signal.SIGHUP)
"""Those of them that reach one process, and not every one of a terminal."""

KEYBOARD = (signal.SIGINT, signal.SIGQUIT)
"""The signals that a terminal sends to every process in its foreground: Ctrl-C and Ctrl-\\."""


@contextmanager
def ignored(*numbers: signal.Signals) -> Iterator[None]:
    """Ignore signals in the body; those that come meanwhile are lost."""
    before = {number: signal.getsignal(number) for number in numbers}
    try:
        for number in numbers:
            signal.signal(number, signal.SIG_IGN)
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def passed_on(pid: int, numbers: Iterable[signal.Signals]) -> Iterator[None]:
    """Pass signals on to another process in the body: this one waits for what that one makes of them."""
    before = {number: signal.getsignal(number) for number in numbers}

    def tell(number: int, _: object) -> None:
        with suppress(ProcessLookupError):
            os.kill(pid, number)

    for number in before:
        signal.signal(number, tell)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def unwind(number: int, _: object) -> NoReturn:
    """Unwind at a signal that asks us to end, so that what was begun is taken back: a handler."""
    raise SystemExit(128 + number)


def beside_terminal() -> None:
    """Have this process, just forked, end at once by a signal, and not hear those of the keyboard: its parent does."""
    for number in KEYBOARD:
        signal.signal(number, signal.SIG_IGN)
    for number in ENDING:
        signal.signal(number, signal.SIG_DFL)


def on_terminal() -> None:
    """Have this process, just forked, be ended by signals and hear the keyboard, as a program that has just begun.

    What its parent ignores of the keyboard, and delays, is the parent's alone.
    """
    for number in KEYBOARD:
        signal.signal(number, signal.SIG_DFL)
    not_delayed()


def be_deaf(numbers: Sequence[signal.Signals]) -> None:
    """Have this process, just forked, and the program that it becomes, not hear signals.

    They are delayed, too: a program may hear again what was ignored, as ssh does where another ssh has its connection.
    """
    for number in numbers:
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_BLOCK, numbers)


def not_delayed() -> None:
    """Have this process, just forked, be ended by the signals that its parent delays around the fork."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, TERMINATION)


@contextmanager
def block_signals() -> Iterator[Callable[[], None]]:
    """Delay TERMINATION until the end of the body, or until it calls the function that is yielded."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, TERMINATION)

    def unblock() -> None:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)

    try:
        yield unblock
    finally:
        unblock()


def fork() -> int:
    """Return what os.fork does. An exception that a signal raises amidst Python's own hooks around it would be lost.

    The child does not write its signals to the descriptor on which its parent hears its own.
    """
    with block_signals():
        if pid := os.fork():
            return pid
        signal.set_wakeup_fd(-1)
        return 0
