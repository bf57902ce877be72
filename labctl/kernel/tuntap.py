"""Persistent TUN and TAP devices, made as `ip tuntap add` makes them (drivers/net/tun.c).

They are the one kind of link that rtnetlink cannot create. /dev/net/tun must be opened inside the namespace, because
the device is created in the namespace in which that was opened.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import pwd
import struct
from collections.abc import Iterator
from pathlib import Path

from labctl.errors import MachineError, UsageError, kernel_words

DEVICE = Path("/dev/net/tun")

TUNSETIFF, TUNSETPERSIST, TUNSETOWNER, TUNSETIFINDEX = 0x400454CA, 0x400454CB, 0x400454CC, 0x400454DA
IFF_TUN, IFF_TAP, IFF_NO_PI, IFF_TUN_EXCL = 0x0001, 0x0002, 0x1000, 0x8000
_MODE = {"tun": IFF_TUN, "tap": IFF_TAP}


def create(name: str, kind: str, index: int, owner: str | None) -> bool:
    """Make a persistent device in this thread's namespace. Return whether its owner has a user ID there.

    Raise MachineError without /dev/net/tun, UsageError for an unknown owner, OSError where the kernel refuses.
    """
    uid = _uid_here(owner) if owner else None
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


def uid_of(owner: str) -> int:
    """Return the user ID of a name or a number. Raise UsageError."""
    if owner.isascii() and owner.isdigit():
        return int(owner)
    try:
        return pwd.getpwnam(owner).pw_uid
    except KeyError:
        raise UsageError(
            f"there is no user {owner!r} on this machine",
            "an interface names it as its owner",
            "id -un tells your name",
        ) from None


def user_name(uid: int) -> str:
    """Return the name of a user ID; the number itself where it has none."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def outside(uid: int) -> int:
    """Return what a user ID of this user namespace is on the machine, the inverse of `_uid_here`."""
    return next((outer + uid - inner for inner, outer, count in _uid_map() if inner <= uid < inner + count), uid)


def _uid_here(owner: str) -> int | None:
    """Return the owner as this user namespace numbers it, None where it has no number (user_namespaces(7), uid_map)."""
    uid = uid_of(owner)
    inside = (inner + uid - outer for inner, outer, count in _uid_map() if outer <= uid < outer + count)
    return next(inside, None)


def _uid_map() -> Iterator[tuple[int, int, int]]:
    """Yield the first number here, the first number outside, and how many they are."""
    for line in Path("/proc/self/uid_map").read_text().splitlines():
        inner, outer, count = map(int, line.split())
        yield inner, outer, count
