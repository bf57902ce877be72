"""What a lab is made of: a topology that was built, a file, or a topology that ships with labctl."""

from __future__ import annotations

import os

from labctl.plan.desired import Desired
from labctl.topology.load import load_routed
from labctl.topology.model import Topology
from labctl.topology.program_paths import anchored
from labctl.topology.rename import renamed
from labctl.topology.routed import Routed
from labctl.topology.shipped import find


def desired_of(source: str | Topology, name: str | None = None) -> Desired:
    """Return what a topology asks for, renamed to `name`. Raise UsageError where it is wrong or not there."""
    routed = _built(source) if isinstance(source, Topology) else load_routed(find(source))
    return Desired.of(renamed(routed, name) if name is not None else routed)


def file_of(source: str | Topology) -> str:
    """Return the absolute path of a file or of a shipped topology, empty where it is no plain file."""
    if isinstance(source, Topology):
        return ""
    path = find(source)
    return str(path.resolve()) if path.is_file() else ""


def _built(topology: Topology) -> Routed:
    """Return a topology that was built; where it names a directory, that begins at the working one."""
    return Routed.of(anchored(topology, os.getcwd()))
