"""Mounting files and directories where the machine has no place to mount them, in a mount namespace of our own.

What is there already is covered: one bind mount. Where a directory is missing, one must appear in a directory of the
machine, on which nothing may change. So that directory is covered as well, by one of ours that is kept with the lab,
and into which each entry of the machine's is bound: it looks as before, with one entry more. Symbolic links are copied.
What a program makes in there is seen by all programs of the namespace, and not by the machine.

An overlay (Documentation/filesystems/overlayfs.rst) would be one mount in place of many. But a writable one may not be
mounted by two at once, so it would have to outlive the programs, and be in the way of `down`; in a user namespace it
takes Linux 5.11, and copies no file whose owner is not mapped; and in a container, where the root is an overlay itself,
there may be one only. A bind mount works everywhere, and takes 5 us.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

from labctl.kernel.own_files import is_mount_point, make_directories, make_mount_point
from labctl.process.mounts import below, mount_points
from labctl.process.syscalls import (
    MS_BIND,
    MS_NODEV,
    MS_NOSUID,
    MS_REC,
    MS_REMOUNT,
    MS_SLAVE,
    MS_UNBINDABLE,
    mount,
    pivot_root,
    unmount,
)

Kept = Callable[[str], Path]
"""Returns where the directory is kept that covers one of the machine's."""


class Mounts:
    """The mounts of this process, in whose mount namespace no other is; what it mounts is seen nowhere else."""

    def __init__(self) -> None:
        self._points = mount_points()
        self._slaves: set[Path] = set()
        self._covered: dict[Path, Path] = {}

    def mount(self, source: str, target: Path, kind: str = "", flags: int = 0) -> None:
        """Mount something so that no other mount namespace sees it. Raise OSError."""
        on = next((path for path in (target, *target.parents) if path in self._points), Path("/"))
        if on not in self._slaves:
            mount("", str(on), flags=MS_SLAVE)
            self._slaves.add(on)
        mount(source, str(target), kind, flags)
        self._points.add(target)

    def below(self, directory: Path) -> list[Path]:
        """Return the mount points below a directory that are below no other one of them."""
        return below(directory, self._points)

    def show(self, source: Path, path: str, kept: Kept) -> None:
        """Mount a file or a directory of ours at a path, whatever is there, or missing there. Raise OSError."""
        target = Path(os.path.realpath(path))
        if not target.exists():
            self._make_room(target, source.is_dir(), kept)
        self._mount_ours(source, target)
        with suppress(OSError):  # /run may be noexec, and what is ours may be a program
            mount("", str(target), flags=MS_REMOUNT | MS_BIND | MS_NOSUID | MS_NODEV)
        if source.is_dir():
            self._covered[target] = source

    def _mount_ours(self, source: Path, target: Path) -> None:
        """Mount what is kept below /run, and not as a peer of that mount: what is mounted in it would be seen there."""
        self.mount(str(source), target, flags=MS_BIND)
        mount("", str(target), flags=MS_SLAVE)

    def _make_room(self, target: Path, for_directory: bool, kept: Kept) -> None:
        """Make something to mount on, in a directory that is ours already or is covered first."""
        there = next(parent for parent in target.parents if parent.is_dir())
        if not self._is_ours(there):
            self._cover(there, kept(str(there)))
        make_directories(target.parent)
        with suppress(FileExistsError):  # of an earlier program of the namespace
            make_mount_point(target, for_directory)

    def _is_ours(self, directory: Path) -> bool:
        """Return whether a directory is one of those that cover the machine's, or inside of one."""
        for covered in (directory, *directory.parents):
            if covered in self._covered:
                ours = self._covered[covered] / directory.relative_to(covered)
                return ours.is_dir() and ours.samefile(directory)
        return False

    def _cover(self, directory: Path, ours: Path) -> None:
        """Mount a directory of ours over one of the machine's, with all that is in there."""
        make_directories(ours)
        machines = os.open(directory, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            ours.chmod(stat.S_IMODE(os.fstat(machines).st_mode))
            entries = list(_entries(machines, ours))
            target = ours if directory == Path("/") else directory
            self._mount_ours(ours, target)
            if target is ours:
                mount("", str(ours), flags=MS_UNBINDABLE)  # the new root is not to be found within its own /run
            for entry in entries:
                with suppress(OSError):  # it has just gone, or may not be mounted
                    mount(f"/proc/self/fd/{machines}/{entry}", f"{target}/{entry}", flags=MS_BIND | MS_REC)
        finally:
            os.close(machines)
        if directory == Path("/"):
            _become_root(ours)
        self._covered[directory] = ours
        self._points = mount_points()


def _entries(machines: int, ours: Path) -> Iterator[str]:
    """Make what is needed to mount the entries of a directory of the machine in ours, and yield their names."""
    for entry in os.scandir(f"/proc/self/fd/{machines}"):
        mine = ours / entry.name
        if entry.is_symlink():
            with suppress(FileExistsError):
                mine.symlink_to(os.readlink(entry.path))
            continue
        with suppress(FileExistsError):
            make_mount_point(mine, entry.is_dir())
        if is_mount_point(found := mine.lstat()) and stat.S_ISDIR(found.st_mode) == entry.is_dir():
            yield entry.name


def _become_root(directory: Path) -> None:
    """Make a directory the root of this mount namespace, in place of what is."""
    before = os.open("/", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.chdir(directory)
        pivot_root(".", ".")
        mount("", "/", flags=MS_SLAVE)
        os.fchdir(before)  # which is mounted on the new one now
        mount("", ".", flags=MS_REC | MS_SLAVE)  # or what is unmounted here would be unmounted outside, too
        unmount(".")
        os.chdir("/")
    finally:
        os.close(before)
