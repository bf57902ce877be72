"""What is left of a program whose supervisor was killed: it is known by a variable of its environment."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from labctl.kernel.namespaces import NamespaceId
from labctl.lab import stray_processes
from labctl.process import processes
from labctl.topology.program_ref import ProgramRef

MARK = "LABCTL_PROGRAM"


def marks(lab: str, ref: ProgramRef) -> dict[str, str]:
    """Return the variables that a program gets, and everything that it starts: where it runs, and which it is."""
    return {"LABCTL_LAB": lab, "LABCTL_NAMESPACE": ref.namespace, MARK: str(ref)}


def end_left(ref: ProgramRef, known: Mapping[str, NamespaceId]) -> None:
    """End what is left of a program in its namespace."""
    if ref.namespace in known:
        there = stray_processes.inside([known[ref.namespace]])
        processes.end(process for process in there if _has_mark(process.pid, ref))


def _has_mark(pid: int, ref: ProgramRef) -> bool:
    try:
        return f"{MARK}={ref}".encode() in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:  # it has ended, or is another user's
        return False
