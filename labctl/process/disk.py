"""Files of labctl on a disk that may be full, read-only or damaged, in a directory that others may have written to.

What the disk refuses becomes a MachineError. Only plain files are read, and only in directories that no other user may
write to.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from labctl.errors import MachineError, kernel_words
from labctl.process.mounts import mounted_in
from labctl.process.syscalls import unmount


@contextmanager
def kept_in(directory: Path) -> Iterator[None]:
    """Turn an OSError of the body into MachineError; a FileNotFoundError, of a directory that is gone, stays one."""
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
    """Turn an OSError of the body, which removes a lab, into MachineError."""
    try:
        yield
    except OSError as error:
        why = f"{error.filename}: {kernel_words(error)}" if error.filename else kernel_words(error)
        raise MachineError(f"lab {lab} could not be removed completely", why, _what_helps(error)) from None


def _what_helps(error: OSError) -> str:
    if error.errno in (errno.EACCES, errno.EPERM):
        return "/run must be writable: root in a user namespace (unshare -Ur) runs labctl outside of it, without root"
    if error.errno == errno.EROFS:
        return "make /run writable (mount -o remount,rw /run), then run the same command again"
    return "/run must be writable and have some space: free some, then run the same command again"


def contents(path: Path) -> bytes | None:
    """Return what is in a file, None if there is none. Raise MachineError if it cannot be read or is no plain file."""
    try:
        if stat.S_ISREG(path.lstat().st_mode):
            return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise unreadable(path, kernel_words(error)) from None
    raise unreadable(path, "it is no plain file")  # opening a FIFO would wait for a writer


def unreadable(path: Path, why: str) -> MachineError:
    """Return the error for a file of the state that cannot be read."""
    return MachineError(
        f"the state of the lab cannot be read: {path}", why, "look at it; if it is of no use, remove it by hand"
    )


def replace_text(path: Path, text: str) -> None:
    """Write a file anew under a temporary name: a kill at any moment leaves the old one or the new. Raise OSError.

    It is for this user alone, also in a directory that is open to others.
    """
    temporary = path.with_suffix(".new")
    temporary.unlink(missing_ok=True)
    with open(temporary, "x", opener=_for_this_user) as file:
        file.write(text)
    temporary.rename(path)


def _for_this_user(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def remove(path: Path) -> None:
    """Remove a file, a directory with all that is in it, or a symbolic link, which is not followed. Raise OSError.

    What is mounted in a directory is not of it: to remove that would be to empty what the machine has elsewhere. So it
    is unmounted first.
    """
    if path.is_dir() and not path.is_symlink():
        for point in mounted_in(path):
            unmount(str(point))
        import shutil  # loads three ways to compress files

        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def refuse_if_others_may_write(directory: Path) -> None:
    """Raise MachineError for a directory that another user may have written to, FileNotFoundError if there is none.

    What is in it says which processes to end.
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
        f"refusing untrusted directory {directory}",
        why,
        "look at what is in there, then remove it, or chown and chmod it",
    )
