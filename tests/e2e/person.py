"""Who a new process becomes in a test, as plain data."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from labctl.process.syscalls import setns


@dataclass(frozen=True)
class Person:
    """A person of a world: a process whose namespaces are entered, and which; a user, or who one is; a directory."""

    keeper: int
    namespaces: int
    uid: int | None
    directory: Path | str

    def become(self) -> None:
        """Make this process one of the person."""
        keeper = os.pidfd_open(self.keeper)
        setns(keeper, self.namespaces)
        os.close(keeper)
        if self.uid is not None:
            os.setgroups([])
            os.setresgid(self.uid, self.uid, self.uid)
            os.setresuid(self.uid, self.uid, self.uid)
        os.chdir(self.directory)  # entering a mount namespace leads to /
