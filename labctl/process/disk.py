"""Files of labctl on a disk that may be full, read-only or damaged, or hold what somebody else has put there.

Whatever a disk says no to is told in words. What is read is a plain file, in a directory that nobody else could write.
"""

from __future__ import annotations

import errno
import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from labctl.errors import MachineError, kernel_words


@contextmanager
def kept_in(directory: Path) -> Iterator[None]:
    """Turn what a disk says no to into words. A directory that is gone stays a FileNotFoundError."""
    try:
        yield
    except FileNotFoundError:
        raise
    except OSError as error:
        raise MachineError(
            f"the state of the lab cannot be kept in {directory}", kernel_words(error), _what_helps(error)
        ) from None


@contextmanager
def removable(lab: str) -> Iterator[None]:
    """The same for what is being taken down."""
    try:
        yield
    except OSError as error:
        why = f"{error.filename}: {kernel_words(error)}" if error.filename else kernel_words(error)
        raise MachineError(f"lab {lab} is not wholly down", why, _what_helps(error)) from None


def _what_helps(error: OSError) -> str:
    if error.errno in (errno.EACCES, errno.EPERM):
        return "root in a user namespace alone (unshare -Ur) may not: run labctl outside of it, where it needs no root"
    if error.errno == errno.EROFS:
        return "make /run writable (mount -o remount,rw /run), then run the same command again"
    return "/run must be writable and have some space: make room there, then run the same command again"


def contents(path: Path) -> bytes | None:
    """What is in a file; None where there is none. Raises MachineError for what cannot be read, or is no plain file."""
    try:
        if stat.S_ISREG(path.lstat().st_mode):
            return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise unreadable(path, kernel_words(error)) from None
    raise unreadable(path, "it is no plain file")  # to open a FIFO would be to wait for ever


def unreadable(path: Path, why: str) -> MachineError:
    return MachineError(
        f"the state of the lab cannot be read: {path}", why, "look at it; if it is of no use, remove it by hand"
    )


def remove(path: Path) -> None:
    """Remove whatever has that name. A link leads to somebody else's files: only the link itself goes."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def refuse_if_others_may_write(directory: Path) -> None:
    """What is in there says which processes to end, so it must be nobody's but ours.

    Raises MachineError where it may be somebody else's, FileNotFoundError where it is not there.
    """
    found = directory.lstat()
    if not stat.S_ISDIR(found.st_mode):
        why = "it is no directory"
    elif found.st_uid != os.geteuid():
        why = f"it belongs to user {found.st_uid}"
    elif found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        why = f"others may write to it: its mode is {stat.S_IMODE(found.st_mode):04o}"
    else:
        return
    raise MachineError(
        f"nothing in {directory} can be believed",
        why,
        "look at what is in there, then remove it, or chown and chmod it",
    )
