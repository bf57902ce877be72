"""Everything that can go wrong, as one small tree.

    LabError                    what failed, why, what to do now
    ├── UsageError              2  the file or the call is wrong
    ├── MachineError            3  this machine cannot: no right, no driver
    └── KernelRefused           4  the kernel said no; what was made is taken back

Each is three short lines for a person: `what` failed (in words a student knows), `why` (errno and the kernel's own
words) and `hint` (what to do now). The exit code belongs to the class, so the command line has no table of its own.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager


class LabError(Exception):
    """A failure that is told to a person: what failed, why, and what to do now."""

    exit_code = 1

    def __init__(self, what: str, why: str = "", hint: str = "") -> None:
        # All three are positional, so that pickle can carry the error out of a rootless room.
        super().__init__(what, why, hint)
        self.what = what
        self.why = why
        self.hint = hint

    def __str__(self) -> str:
        return "\n".join(line for line in (self.what, self.why, self.hint) if line)


class UsageError(LabError):
    """The file or the call is wrong; nothing was touched."""

    exit_code = 2


class MachineError(LabError):
    """This machine cannot do it: a right, a driver or a kernel feature is missing."""

    exit_code = 3


class KernelRefused(LabError):
    """The kernel refused a step of a lab."""

    exit_code = 4


def kernel_words(error: OSError) -> str:
    """The errno in the kernel's words and by name, with the extended acknowledgement text where there is one."""
    number, text = error.errno or 0, getattr(error, "text", "")
    words = f"{os.strerror(number)} ({errno.errorcode.get(number, number)})"
    return f"{words}: {text}" if text else words


USED_UP = "memory, processes or files may be used up here: see free -m and ulimit -a"
FULL = "/run may be full, or there are as many namespaces as there may be: see df -i /run and sysctl user"
NOTHING_LEFT = (errno.EMFILE, errno.ENFILE, errno.ENOMEM)
"""What the kernel says where something is used up; it says nothing about what was asked for."""

_HINTS = {**dict.fromkeys(NOTHING_LEFT, USED_UP), errno.ENOSPC: FULL}


@contextmanager
def kernel_errors_as(what: str, hint: str = "") -> Iterator[None]:
    """Turn an OSError of the body into KernelRefused."""
    try:
        yield
    except OSError as error:
        raise KernelRefused(what, kernel_words(error), hint or _HINTS.get(error.errno or 0, "")) from error
