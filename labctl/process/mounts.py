"""What is mounted where, as this process sees it (proc(5), mountinfo)."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple


class Mount(NamedTuple):
    """A mount: its directory or file, and its source, which for a file system in memory is any text."""

    point: Path
    source: str


def mounts() -> Iterator[Mount]:
    """Yield every mount."""
    # A name may have any bytes, also such as are a space or the end of a line in Unicode.
    for line in Path("/proc/self/mountinfo").read_bytes().split(b"\n")[:-1]:
        where, _, what = line.partition(b" - ")
        yield Mount(Path(_name(where.split(b" ")[4])), _name(what.split(b" ")[1]))


_ESCAPED = re.compile(rb"\\([0-7]{3})")  # blanks, ends of lines and backslashes (fs/proc_namespace.c: mangle)


def _name(written: bytes) -> str:
    return os.fsdecode(_ESCAPED.sub(lambda found: bytes([int(found[1], 8)]), written))


def mount_points() -> set[Path]:
    """Return every path on which a file system is mounted."""
    return {mount.point for mount in mounts()}


def mounted_in(directory: Path) -> list[Path]:
    """Return the mount points that are a directory or are in it, those below others first."""
    top = Path(os.path.realpath(directory))
    return sorted((mount.point for mount in mounts() if mount.point.is_relative_to(top)), reverse=True)


def below(top: Path, points: set[Path]) -> list[Path]:
    """Return those mount points below a directory that are below no other one of them."""
    under = {point for point in points if top in point.parents}
    return sorted(point for point in under if under.isdisjoint(point.parents))
