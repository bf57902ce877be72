"""A program by its full name."""

from __future__ import annotations

from typing import NamedTuple


class ProgramRef(NamedTuple):
    """A program of a lab, written NAMESPACE:NAME; no interface of its namespace has that name."""

    namespace: str
    name: str

    @classmethod
    def near(cls, written: str, namespace: str) -> ProgramRef:
        """Return what a file means that names a program from a namespace: NAME there, or NAMESPACE:NAME."""
        other, colon, name = written.rpartition(":")
        return cls(other if colon else namespace, name)

    def __str__(self) -> str:
        return f"{self.namespace}:{self.name}"
