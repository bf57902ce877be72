"""The names of rootless environments: how one is claimed, found, and told from a socket that only has a similar name.

A name is an abstract UNIX socket (unix(7)) on which the holder listens. Binding it is an atomic claim, it is gone the
moment the holder is gone, and SO_PEERCRED tells the holder's PID and user beyond doubt.
"""

from __future__ import annotations

import os
import re
import socket
import struct
from pathlib import Path

# A line of /proc/net/unix (proc(5)) about an environment: the inode, the user, and what a lab may be called.
_LISTED = re.compile(rb"^\S+: (?:[0-9A-F]+ +){5}(\d+) @labctl/(\d+)/([\w.-]+)$", re.MULTILINE)


def address(lab: str, uid: int) -> str:
    """Return the address of the socket of a lab of a user."""
    return f"\0labctl/{uid}/{lab}"


def names() -> dict[tuple[int, str], str]:
    """Return user and lab of every environment that exists or is being made, with the inode of its socket.

    It is a list of candidates: any user may name a socket anything, even so that it reads like two lines of this list.
    `holder_of` asks the socket itself.
    """
    return {
        (int(uid), lab.decode()): inode.decode()
        for inode, uid, lab in _LISTED.findall(Path("/proc/net/unix").read_bytes())
    }


def holder_of(lab: str, owner: int | None = None) -> int | None:
    """Return the PID of the holder of a lab of `owner` (this user by default), None if there is none of that user."""
    owner = os.geteuid() if owner is None else owner
    pid, uid = _listener(lab, owner) or (None, None)
    return pid if uid == owner else None


def taken_by(lab: str) -> int | None:
    """Return the number of another user who has taken the name of a lab of this one; None where that is not seen."""
    _, uid = _listener(lab, os.geteuid()) or (None, None)
    return uid if uid != os.geteuid() else None


def _listener(lab: str, owner: int) -> tuple[int, int] | None:
    """Return the PID and the user who listens on a name; None where none does."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.setblocking(False)  # a socket that never accepts is not waited for
        try:
            connection.connect(address(lab, owner))
        except (ConnectionRefusedError, BlockingIOError):
            return None
        pid, uid, _ = struct.unpack("=iII", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    return pid, uid


def claimant(lab: str) -> str:
    """Return which process of this user has claimed a name and does not listen yet; empty if there is none."""
    inode = names().get((os.geteuid(), lab))
    for entry in os.scandir("/proc") if inode else ():
        try:
            if any(os.readlink(fd.path) == f"socket:[{inode}]" for fd in os.scandir(f"{entry.path}/fd")):
                return f"process {entry.name}"
        except OSError:
            continue
    return ""
