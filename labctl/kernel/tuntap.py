"""Persistent TUN and TAP devices, made as `ip tuntap add` makes them (drivers/net/tun.c).

They are the one kind of link that rtnetlink cannot create. /dev/net/tun must be opened inside the namespace, because
the device is created in the namespace in which that was opened.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import struct
from pathlib import Path

from labctl.errors import MachineError, kernel_words

DEVICE = Path("/dev/net/tun")

TUNSETIFF, TUNSETPERSIST, TUNSETOWNER, TUNSETIFINDEX = 0x400454CA, 0x400454CB, 0x400454CC, 0x400454DA
IFF_TUN, IFF_TAP, IFF_NO_PI, IFF_TUN_EXCL = 0x0001, 0x0002, 0x1000, 0x8000
_MODE = {"tun": IFF_TUN, "tap": IFF_TAP}


def create(name: str, kind: str, index: int, owner: str | None) -> bool:
    """Make a persistent device in this thread's namespace. Return whether its owner has a user ID there.

    Raise MachineError without /dev/net/tun, UsageError for an unknown owner, OSError where the kernel refuses.
    """
    uid = _uid(owner)
    fd = open_device()
    try:
        fcntl.ioctl(fd, TUNSETIFINDEX, struct.pack("=i", index))
        fcntl.ioctl(fd, TUNSETIFF, struct.pack("=16sH22x", name.encode(), _MODE[kind] | IFF_NO_PI | IFF_TUN_EXCL))
        if uid is not None:
            fcntl.ioctl(fd, TUNSETOWNER, ctypes.c_int(uid).value)  # the same 32 bits as Python hands them over
        fcntl.ioctl(fd, TUNSETPERSIST, 1)
    finally:
        os.close(fd)
    return owner is None or uid is not None


def _uid(owner: str | None) -> int | None:
    if not owner:
        return None
    from labctl.process.users import uid_here  # which few labs need

    return uid_here(owner)


def open_device() -> int:
    """Return an open descriptor of /dev/net/tun. Raise MachineError with what helps."""
    try:
        return os.open(DEVICE, os.O_RDWR | os.O_CLOEXEC)
    except OSError as error:
        raise MachineError(
            f"no TUN device can be made: {DEVICE} cannot be opened",
            kernel_words(error),
            how_to_mend(error.errno or 0),
        ) from None


def how_to_mend(error: int) -> str:
    """Return what helps where /dev/net/tun cannot be opened."""
    return {
        errno.ENOENT: "load the driver (modprobe tun); in a container start it with --device /dev/net/tun",
        errno.ENODEV: "load the driver: modprobe tun",
        errno.EACCES: f"let users open it, as distributions do: chmod 0666 {DEVICE} (as root)",
        errno.EPERM: "in a container start it with --device /dev/net/tun",
    }.get(error, "run labctl doctor")
