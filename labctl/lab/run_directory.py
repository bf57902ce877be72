"""What all labs of a machine share: /run/labctl with a directory for each, and /run/netns with the names of namespaces.

    /run/labctl/LAB/            the state of a lab (state.py)
    /run/labctl/.netns          how /run/netns was found, as long as labctl needs it; no lab has a name like this

Either is changed only under a flock(2) on /run/labctl, and both are as they were found once the last lab is gone.
"""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager

from labctl.kernel import namespaces
from labctl.kernel.own_files import LABS
from labctl.process.disk import contents, kept_in, refuse_if_others_may_write

ROOT = LABS
_FOUND_NAMES = ROOT / ".netns"


def recorded_labs() -> list[str]:
    """Return the names of the recorded labs. Raise MachineError if another user may have written them."""
    try:
        refuse_if_others_may_write(ROOT)
        return sorted(entry.name for entry in ROOT.iterdir() if entry.is_dir() and not entry.is_symlink())
    except FileNotFoundError:
        return []


@contextmanager
def _locked() -> Iterator[None]:
    """Hold the lock of /run/labctl and /run/netns. Raise FileNotFoundError where there is no /run/labctl."""
    fd = os.open(ROOT, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        refuse_if_others_may_write(ROOT)
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)


def prepare_names() -> None:
    """Make /run/netns ready for named namespaces, and remember how it was found. Raise MachineError."""
    with _locked():
        if namespaces.directory_is_ready():
            return
        with kept_in(ROOT):
            if not _FOUND_NAMES.exists():  # else labctl left it half-made, or this is after a reboot
                _FOUND_NAMES.write_text("there" if namespaces.DIRECTORY.is_dir() else "absent")
            namespaces.make_directory()


def tidy() -> None:
    """Once the last lab is gone, leave /run/netns as it was found, and remove /run/labctl."""
    try:
        with _locked():
            if recorded_labs():
                return
            found = contents(_FOUND_NAMES)
            if found is not None:
                namespaces.remove_directory(found == b"there")
                _FOUND_NAMES.unlink()
            ROOT.rmdir()
    except FileNotFoundError:
        return
    except OSError as error:
        # Another labctl has just made a lab; or /run is read-only, and an empty directory has to stay.
        if error.errno not in (errno.ENOTEMPTY, errno.EROFS):
            raise
