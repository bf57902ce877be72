"""Who a new process becomes on a machine of the tests, as plain data."""

from __future__ import annotations

import os
from dataclasses import dataclass

from labctl.process.syscalls import CLONE_NEWNET, CLONE_NEWNS, CLONE_NEWPID, die_with_parent, setns

CLONE_NEWTIME = 0x80  # linux/sched.h


@dataclass(frozen=True)
class Person:
    """A person of a machine: the first process of the machine, a user, a home."""

    machine: int
    uid: int
    home: str

    def become(self) -> None:
        """Make this process one of the person, by a child of it."""
        machine = os.pidfd_open(self.machine)
        with open(f"/proc/{self.machine}/ns/pid", "rb") as pids:
            setns(machine, CLONE_NEWNET | CLONE_NEWNS | CLONE_NEWTIME)
            setns(pids.fileno(), CLONE_NEWPID)
        inner = os.fork()  # only a child is in another PID namespace
        if inner:
            os.closerange(0, os.sysconf("SC_OPEN_MAX"))  # Popen waits for one of them to be closed
            os._exit(os.waitstatus_to_exitcode(os.waitpid(inner, 0)[1]) & 0xFF)
        die_with_parent(0)
        os.setgroups([])
        os.setresgid(self.uid, self.uid, self.uid)
        os.setresuid(self.uid, self.uid, self.uid)
        die_with_parent(0)
        os.chdir(self.home)
