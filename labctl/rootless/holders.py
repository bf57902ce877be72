"""The rootless environments of all users, as root sees them from outside.

Root takes nothing from an environment but what its own kernel says: who holds the name (SO_PEERCRED), whose process
that is, that it is the first of a PID namespace, and who has made its user namespace (ioctl_ns(2)). A name is only a
word: whoever holds it may have made anything under it.
"""

from __future__ import annotations

import fcntl
import os
import struct
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from labctl.errors import MachineError
from labctl.frozen import frozen
from labctl.process.processes import Process, start_time
from labctl.rootless import context_names
from labctl.rootless.privileges import has_network_rights

NS_GET_OWNER_UID = 0xB704  # ioctl_ns(2)
MOST_NAMES = 1 << 12
"""Names of one user that are looked at: they cost nothing, and most may be of no environment."""

_STATUS = 1 << 14
_TICKS = os.sysconf("SC_CLK_TCK")
_SUID_DUMPABLE = Path("/proc/sys/fs/suid_dumpable")  # proc_sys_fs(5)


@frozen
class Holder:
    """The first process of an environment: of which user, what the lab is called, and when it has begun."""

    uid: int
    gid: int
    lab: str
    process: Process

    @property
    def began(self) -> float:
        """Return when it has begun, in seconds since the epoch."""
        return time.time() - time.clock_gettime(time.CLOCK_BOOTTIME) + self.process.started / _TICKS


@contextmanager
def opened(process: Process) -> Iterator[int]:
    """Yield the /proc directory of exactly this process: what is opened there later fails once it has ended.

    Raise ProcessLookupError where it has ended already.
    """
    try:
        directory = os.open(f"/proc/{process.pid}", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    except FileNotFoundError:
        raise ProcessLookupError from None
    try:
        if not process.alive():
            raise ProcessLookupError
        yield directory
    finally:
        os.close(directory)


def need_root(what: str, command: str) -> None:
    """Raise MachineError where this process is not root of the machine, who alone may look into labs of other users."""
    if os.geteuid() != 0 or not has_network_rights():
        raise MachineError(f"{what} needs root", "it concerns the labs of other users", f"sudo {command}")
    if _SUID_DUMPABLE.exists() and _SUID_DUMPABLE.read_text().strip() == "1":
        why = "fs.suid_dumpable is 1: a user could trace what measures in their lab, and change it"
        raise MachineError(f"{what} would prove nothing here", why, "sysctl fs.suid_dumpable=0")


def every_holder() -> list[Holder]:
    """Return the holders of all ordinary users, by user and lab."""
    looked_at: Counter[int] = Counter()
    found = []
    for uid, lab in sorted(context_names.names()):
        looked_at[uid] += 1
        if uid and looked_at[uid] <= MOST_NAMES and (holder := _holder(uid, lab)):
            found.append(holder)
    return found


def _holder(uid: int, lab: str) -> Holder | None:
    """Return the holder of a lab of a user; None where what has the name is no first process of an environment."""
    pid = context_names.holder_of(lab, uid)
    started = start_time(pid) if pid else None
    if pid is None or started is None:
        return None
    try:
        with opened(Process(pid, started)) as directory:
            status = _status(directory)
            uids, gids, pids = (status.get(key, []) for key in ("Uid", "Gid", "NSpid"))
            if len(pids) < 2 or pids[-1] != "1" or set(uids) != {str(uid)} or user_namespace_owner(directory) != uid:
                return None
            return Holder(uid, int(gids[0]), lab, Process(pid, started))
    except (OSError, ValueError, IndexError):  # it has ended meanwhile
        return None


def user_namespace_owner(directory: int) -> int:
    """Return who has made the user namespace of a process, by its /proc directory. Raise OSError."""
    fd = os.open("ns/user", os.O_RDONLY | os.O_CLOEXEC, dir_fd=directory)
    try:
        found: int = struct.unpack("=I", fcntl.ioctl(fd, NS_GET_OWNER_UID, bytes(4)))[0]
        return found
    finally:
        os.close(fd)


def _status(directory: int) -> dict[str, list[str]]:
    """Return the fields of /proc/PID/status (proc(5)). The name of the process in it cannot hold a line break."""
    with closing(os.fdopen(os.open("status", os.O_RDONLY | os.O_CLOEXEC, dir_fd=directory), "rb")) as file:
        lines = file.read(_STATUS).decode(errors="replace").splitlines()
    return {key: value.split() for key, _, value in (line.partition(":") for line in lines)}
