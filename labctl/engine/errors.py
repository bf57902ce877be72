"""The engine's one error: what failed, why, and what to do about it.

It is an OSError because everything that can go wrong while an endpoint opens is a system call that was
refused. Each module that makes such a call words the error, since only there the reasons are known.
"""

from __future__ import annotations

import errno as codes
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager


class EngineError(OSError):
    """An endpoint cannot open. `str()` is three lines: what failed, why, what to do."""

    def __init__(self, what: str, errno: int, hint: str) -> None:
        super().__init__(errno, os.strerror(errno))
        self.what = what
        self.hint = hint

    @property
    def why(self) -> str:
        """The reason of the kernel in words and by name, such as `Device or resource busy (EBUSY)`."""
        number = self.errno or 0
        return f"{os.strerror(number)} ({codes.errorcode.get(number, number)})"

    def __str__(self) -> str:
        return f"{self.what}\n  {self.why}\n  {self.hint}"


@contextmanager
def explained(what: str, hints: Mapping[int, str], otherwise: str) -> Iterator[None]:
    """Turn an OSError of the body into an EngineError, whose hint is the one for that errno."""
    try:
        yield
    except OSError as error:
        number = error.errno or codes.EIO
        raise EngineError(what, number, hints.get(number, otherwise)) from error
