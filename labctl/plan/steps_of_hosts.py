"""The steps of the hosts file of a namespace, by which its programs know the names of the lab."""

from __future__ import annotations

from dataclasses import dataclass

from labctl.plan.own_file import digest
from labctl.plan.steps import Removal, Step, many


@dataclass(frozen=True)
class WriteHosts(Step):
    """The names of the lab; `lines` are those of hosts(5) about it."""

    lines: str

    @property
    def digest(self) -> str:
        """Return what tells these lines from others."""
        return digest(self.lines.encode())

    @property
    def words(self) -> str:
        return f"{many(sum(len(line.split()) - 1 for line in self.lines.splitlines()), 'name')} in /etc/hosts"


class RemoveHosts(Removal):
    """The names of the lab."""

    @property
    def words(self) -> str:
        return "the names of the lab in /etc/hosts"
