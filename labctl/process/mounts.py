"""What is mounted where, as this process sees it (proc(5), mountinfo)."""

from __future__ import annotations

from pathlib import Path


def mount_points() -> set[Path]:
    """Return every place where a file system is mounted."""
    return {Path(line.split()[4]) for line in Path("/proc/self/mountinfo").read_text().splitlines()}


def below(top: Path, points: set[Path]) -> list[Path]:
    """Return those mount points below a directory that are below no other one of them."""
    under = {point for point in points if top in point.parents}
    return sorted(point for point in under if under.isdisjoint(point.parents))
