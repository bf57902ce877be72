"""Everything that can go wrong, as one small tree, and the exit codes.

    LabError                what failed, why, what to do now
    ├── UsageError          the file or the call is wrong
    ├── MachineError        this machine cannot: no right, no driver
    ├── KernelRefused       the kernel refused; what was made is taken back
    ├── CommandFailed       a command in a namespace has ended, and not well
    └── CommandTimedOut     a command in a namespace has not ended in time

Each is three short lines for a person: `what` failed (in words a student knows), `why` (errno and the kernel's own
words) and `hint` (what to do now). Each class has its exit code.
"""

from __future__ import annotations

import errno
import os
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from enum import IntEnum


class ExitCode(IntEnum):
    """What a command ends with, and its meaning; `exec` and `shell` end with the exit code of what they ran."""

    meaning: str

    def __new__(cls, code: int, meaning: str) -> ExitCode:
        member = int.__new__(cls, code)
        member._value_ = code
        member.meaning = meaning
        return member

    SUCCESS = 0, "well"
    FAILED = 1, "a check failed"
    PENDING = FAILED  # `plan` found something to do; diff(1) ends so, too
    WRONG = 2, "the file or the call is wrong"
    CANNOT = 3, "this machine cannot"
    REFUSED = 4, "the kernel refused and everything was taken back"
    NOT_ASKED = 5, "a check or a host could not be asked"
    UNREACHABLE = NOT_ASKED
    INTERRUPTED = 128 + signal.SIGINT, "interrupted"  # as shells have it


class LabError(Exception):
    """A failure that is reported to a person: what failed, why, and what to do now."""

    exit_code = ExitCode.FAILED

    def __init__(self, what: str, why: str = "", hint: str = "") -> None:
        # All three are positional, so that pickle can carry the error out of a rootless environment.
        super().__init__(what, why, hint)
        self.what = what
        self.why = why
        self.hint = hint

    def __str__(self) -> str:
        return "\n".join(line for line in (self.what, self.why, self.hint) if line)


class UsageError(LabError):
    """The file or the call is wrong; nothing was touched."""

    exit_code = ExitCode.WRONG


class MachineError(LabError):
    """This machine cannot do it: a right, a driver or a kernel feature is missing."""

    exit_code = ExitCode.CANNOT


class KernelRefused(LabError):
    """The kernel refused a step of a lab."""

    exit_code = ExitCode.REFUSED


class CommandFailed(LabError):
    """A command in a namespace has ended, and not with exit code 0."""

    def __init__(self, args: Sequence[str], returncode: int, stdout: str = "", stderr: str = "") -> None:
        ending = f"exit code {returncode}" if returncode >= 0 else signal_name(-returncode)
        super().__init__(f"{_typed(args)!r} ended with {ending}", _end_of(stderr) or _end_of(stdout))
        self.args = (args, returncode, stdout, stderr)  # what pickle calls the class with
        self.command, self.returncode, self.stdout, self.stderr = args, returncode, stdout, stderr


class CommandTimedOut(LabError):
    """A command in a namespace has not ended within so many seconds."""

    def __init__(self, args: Sequence[str], timeout: float, stdout: str = "", stderr: str = "") -> None:
        super().__init__(f"{_typed(args)!r} has not ended in {timeout:g} s", _end_of(stderr) or _end_of(stdout))
        self.args = (args, timeout, stdout, stderr)  # what pickle calls the class with
        self.command, self.timeout, self.stdout, self.stderr = args, timeout, stdout, stderr


def _typed(words: Sequence[str]) -> str:
    import shlex  # which no command needs to begin

    return shlex.join(words)


_QUOTED = 12
"""Lines of what a command wrote that an error quotes at most: the last ones."""


def _end_of(written: str) -> str:
    return "\n".join(written.strip().splitlines()[-_QUOTED:])


def signal_name(number: int) -> str:
    """Return the name of a signal; its number where it has none, as the real-time ones."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def kernel_words(error: OSError) -> str:
    """Return the errno in the kernel's words and by name, with the extended acknowledgement where there is one."""
    number, text = error.errno or 0, getattr(error, "text", "")
    words = f"{os.strerror(number)} ({errno.errorcode.get(number, number)})"
    return f"{words}: {text}" if text else words


USED_UP = "memory, processes or files may be used up here: see free -m and ulimit -a"
FULL = "/run may be full, or there are as many namespaces as there may be: see df -i /run and sysctl user"
NOTHING_LEFT = (errno.EMFILE, errno.ENFILE, errno.ENOMEM)
"""What the kernel says where something is used up; it says nothing about what was asked for."""

_HINTS = {**dict.fromkeys((*NOTHING_LEFT, errno.EAGAIN), USED_UP), errno.ENOSPC: FULL}  # EAGAIN: fork(2)


@contextmanager
def kernel_errors_as(what: str, hint: str = "") -> Iterator[None]:
    """Raise KernelRefused for an OSError of the body, with a hint of its own where the errno says what is used up."""
    try:
        yield
    except OSError as error:
        raise KernelRefused(what, kernel_words(error), hint or _HINTS.get(error.errno or 0, "")) from error
