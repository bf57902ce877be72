"""What a namespace has of its own in the view of its programs: files and directories, kept with the state of its lab.

    /run/labctl/LAB/files/NAMESPACE/hosts           the names of the lab
    /run/labctl/LAB/files/NAMESPACE/own/PATH        a file or a directory, by the path at which it is seen
    /run/labctl/LAB/files/NAMESPACE/around/PATH     a directory of the machine with what it lacks (surroundings.py)

A PATH is one name: its slashes are written %2F. What is to be seen inside an own directory is kept inside of it. They
are found by the name of the namespace, as ip(8) finds /etc/netns/NAME, so that whoever enters it sees them, without
knowing its lab. A name is in use once: what is kept for it is of this namespace (`forget` sees to that).

A file that changes is written in place: who has it mounted, and who has it open, sees what is in it now.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

from labctl.plan.own_file import OwnFile, digest
from labctl.process.disk import remove
from labctl.topology.hosts_file import HOSTS_FILE, about_the_lab, hosts_file

LABS = Path("/run/labctl")
"""The directory that has one for the state of each lab."""

FILES = "files"
"""The directory in the state of a lab that has one for each of its namespaces."""


def kept(namespace: str) -> Path | None:
    """Return the directory with what is kept for a namespace, of whichever lab it is; None where nothing is."""
    return next(_of_labs(namespace), None)


def _of_labs(namespace: str) -> Iterator[Path]:
    try:
        labs = os.listdir(LABS)
    except OSError:
        return
    for lab in labs:
        if os.path.isdir(found := f"{LABS}/{lab}/{FILES}/{namespace}"):
            yield Path(found)


def forget(namespace: str) -> None:
    """Remove whatever is kept for a namespace: one of this name is about to be made, or is gone. Raise OSError."""
    for directory in _of_labs(namespace):
        remove(directory)


def targets(directory: Path) -> list[tuple[str, Path]]:
    """Return the paths at which something of its own is seen, those above before those below, and where it is kept."""
    try:
        names = os.listdir(directory / "own")
    except FileNotFoundError:
        return []
    return sorted((_path(name), directory / "own" / name) for name in names)


def hosts_of_directory(directory: Path) -> Path:
    """Return where the hosts file is kept."""
    return directory / "hosts"


def around(directory: Path, path: str) -> Path:
    """Return where what surrounds own files in a directory of the machine is kept."""
    return directory / "around" / _name(path)


class Own:
    """What is kept for one namespace of a lab. Everything raises OSError."""

    def __init__(self, lab: Path, namespace: str) -> None:
        self.directory = lab / FILES / namespace

    def write(self, path: str, content: bytes, mode: int) -> None:
        """Keep a file, in place of what is there."""
        where = self._where(path)
        self._make_room(where, stat.S_ISREG)
        self._put(where, content, mode)

    @staticmethod
    def _put(where: Path, content: bytes, mode: int) -> None:
        fd = os.open(where, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        with os.fdopen(fd, "wb") as file:
            os.fchmod(fd, mode)
            file.write(content)

    def make(self, path: str, mode: int) -> None:
        """Keep a directory, with what is in it already."""
        where = self._where(path)
        self._make_room(where, stat.S_ISDIR)
        where.mkdir(exist_ok=True)
        where.chmod(mode)

    def conflict(self, path: str, directory: bool) -> str:
        """Return what the machine has at a path that cannot be covered by a file, or by a directory; empty if nothing.

        What is seen inside of a directory of the namespace's own covers nothing.
        """
        if self._where(path).parent != self.directory / "own" or not os.path.exists(path):
            return ""
        there = os.path.isdir(path)
        return "" if there == directory else "a directory" if there else "a file"

    def remove(self, path: str) -> None:
        """Remove a file, or a directory with all that is in it; what is not there is gone already."""
        remove(self._where(path))
        target = Path(os.path.realpath(path))
        for covered in target.parents:
            within = around(self.directory, str(covered))
            _remove_mount_point(within / target.relative_to(covered), within)

    def write_hosts(self, lines: str) -> None:
        """Keep a hosts file with these lines about the lab, and what the machine's says of itself."""
        make_directories(self.directory)
        try:
            machines = Path(HOSTS_FILE).read_text(errors="replace")
        except OSError:  # a machine without one
            machines = ""
        self._put(hosts_of_directory(self.directory), hosts_file(machines, lines).encode(), 0o644)

    def remove_hosts(self) -> None:
        """Remove the hosts file."""
        remove(hosts_of_directory(self.directory))

    def look_at_hosts(self) -> str | None:
        """Return the digest of what the hosts file says of the lab; None where there is none."""
        try:
            text = hosts_of_directory(self.directory).read_text(errors="replace")
        except FileNotFoundError:
            return None
        return digest(about_the_lab(text).encode())

    def forget(self) -> None:
        """Remove all that is kept for the namespace."""
        remove(self.directory)

    def look(self, path: str) -> OwnFile | None:
        """Return what is kept for a path; None where nothing is."""
        where = self._where(path)
        try:
            found = where.lstat()
        except (FileNotFoundError, NotADirectoryError):
            return None
        mode = stat.S_IMODE(found.st_mode)
        if stat.S_ISDIR(found.st_mode):
            return OwnFile("directory", mode)
        return OwnFile("file", mode, digest(where.read_bytes())) if stat.S_ISREG(found.st_mode) else OwnFile("", mode)

    def _where(self, path: str) -> Path:
        """Return where a path is kept: by itself, or inside of the own directory that it is in."""
        own = self.directory / "own"
        for above in map(str, Path(path).parents):
            if (own / _name(above)).is_dir() and not os.path.lexists(own / _name(path)):
                return own / _name(above) / os.path.relpath(path, above)
        return own / _name(path)

    def _make_room(self, where: Path, is_wanted: Callable[[int], bool]) -> None:
        """Have a path free for a file or a directory, or taken by one; a program may have made something else of it."""
        make_directories(where.parent)
        if not where.parent.resolve().is_relative_to(self.directory):
            raise OSError(errno.ELOOP, f"a symbolic link leads from {where.parent} elsewhere")
        if os.path.lexists(where) and not is_wanted(where.lstat().st_mode):
            remove(where)


def make_mount_point(path: Path, directory: bool) -> None:
    """Make an empty file or directory to mount on: its mode tells it from what programs make. Raise FileExistsError."""
    if directory:
        path.mkdir(mode=0)
    else:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0))


def is_mount_point(found: os.stat_result) -> bool:
    """Return whether `make_mount_point` made it."""
    return stat.S_IMODE(found.st_mode) == 0


def _remove_mount_point(path: Path, within: Path) -> None:
    """Remove what is there to be mounted on, and the directories around it that are left without anything."""
    try:
        found = path.lstat()
        if not is_mount_point(found):
            return
        (path.rmdir if stat.S_ISDIR(found.st_mode) else path.unlink)()
        for directory in path.parents:
            if directory == within:
                return
            directory.rmdir()
    except OSError as error:
        if error.errno not in (errno.ENOENT, errno.ENOTDIR, errno.ENOTEMPTY):
            raise


def make_directories(directory: Path) -> None:
    """Make a directory and what it is in, as far as they are missing, open to everybody, whatever the umask is."""
    if not directory.is_dir():
        make_directories(directory.parent)
        directory.mkdir()
        directory.chmod(0o755)


def _name(path: str) -> str:
    return path.replace("%", "%25").replace("/", "%2F")


def _path(name: str) -> str:
    return name.replace("%2F", "/").replace("%25", "%")
