"""What is mounted where, as this process sees it (proc(5), mountinfo)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple


class Mount(NamedTuple):
    """A mount: its directory or file, and its source, which for a file system in memory is any text."""

    point: Path
    source: str


def mounts() -> Iterator[Mount]:
    """Yield every mount."""
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        where, _, what = line.partition(" - ")
        yield Mount(Path(where.split()[4]), what.split()[1])


def mount_points() -> set[Path]:
    """Return every path on which a file system is mounted."""
    return {mount.point for mount in mounts()}


def below(top: Path, points: set[Path]) -> list[Path]:
    """Return those mount points below a directory that are below no other one of them."""
    under = {point for point in points if top in point.parents}
    return sorted(point for point in under if under.isdisjoint(point.parents))
