"""The names of rooms: how a room is claimed, found, and told from one that only reads like it.

A name is an abstract UNIX socket (unix(7)) on which the holder listens. Binding it is an atomic claim, it is gone the
moment the holder is gone, and SO_PEERCRED tells the holder's PID and user beyond doubt.
"""

from __future__ import annotations

import os
import re
import socket
import struct
from pathlib import Path

# A line of /proc/net/unix (proc(5)) about a room: the inode, the user, and what a lab may be called.
_LISTED = re.compile(rb"^\S+: (?:[0-9A-F]+ +){5}(\d+) @labctl/(\d+)/([\w.-]+)$", re.MULTILINE)


def address(lab: str, uid: int) -> str:
    return f"\0labctl/{uid}/{lab}"


def names() -> dict[tuple[int, str], str]:
    """User and lab of every room that there is or will be, with the inode of its socket, as far as a list can tell.

    Anybody may give a socket any name, also one that reads like two lines of this list. So what is found here is
    asked itself before it is believed.
    """
    return {
        (int(uid), lab.decode()): inode.decode()
        for inode, uid, lab in _LISTED.findall(Path("/proc/net/unix").read_bytes())
    }


def holder_of(lab: str, owner: int | None = None) -> int | None:
    """The PID behind the name, if it is that user's; this user's where none is named."""
    owner = os.geteuid() if owner is None else owner
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.setblocking(False)  # somebody who listens and never answers is not waited for
        try:
            connection.connect(address(lab, owner))
        except (ConnectionRefusedError, BlockingIOError):
            return None
        pid, uid, _ = struct.unpack("=iII", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    return pid if uid == owner else None


def claimant(lab: str) -> str:
    """Who of this user holds the socket of a name on which nobody listens yet; nothing where nobody does."""
    inode = names().get((os.geteuid(), lab))
    for entry in os.scandir("/proc") if inode else ():
        try:
            if any(os.readlink(fd.path) == f"socket:[{inode}]" for fd in os.scandir(f"{entry.path}/fd")):
                return f"process {entry.name}"
        except OSError:
            continue
    return ""
