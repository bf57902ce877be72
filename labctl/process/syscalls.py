"""The system calls that Python 3.11 has no name for, each as one function that raises OSError.

Flags are those of sched.h, sys/mount.h and linux/prctl.h; see unshare(2), setns(2), mount(2), prctl(2).
"""

from __future__ import annotations

import ctypes
import os
import signal
import struct
from collections.abc import Iterator
from contextlib import contextmanager

CLONE_NEWNS = 0x00020000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000

MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC = 1, 2, 4, 8
MS_REMOUNT = 32
MS_BIND = 4096
MS_MOVE = 8192
MS_REC = 16384
MS_UNBINDABLE = 1 << 17
MS_SLAVE = 1 << 19
MS_SHARED = 1 << 20
MNT_DETACH = 2

_PIDFD_GETFD = 438  # of every architecture
_OPENAT2 = 437  # of every architecture
RESOLVE_NO_MAGICLINKS, RESOLVE_NO_SYMLINKS, RESOLVE_BENEATH = 0x02, 0x04, 0x08  # linux/openat2.h
_PR_SET_PDEATHSIG = 1
_PR_SET_DUMPABLE = 4
_PR_SET_NO_NEW_PRIVS = 38
_PR_SET_CHILD_SUBREAPER = 36

_libc = ctypes.CDLL(None, use_errno=True)


def _checked(result: int, what: str) -> None:
    if result < 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error), what)


def unshare(flags: int) -> None:
    _checked(_libc.unshare(flags), "unshare")


def setns(fd: int, flags: int = 0) -> None:
    """Join what `fd` refers to: one namespace of /proc/PID/ns, or with flags several of a process (a pidfd)."""
    _checked(_libc.setns(fd, flags), "setns")


def pidfd_getfd(process: int, number: int) -> int:
    """Return a copy of a descriptor of another process, of which `process` is a pidfd (pidfd_getfd(2))."""
    copy: int = _libc.syscall(_PIDFD_GETFD, process, number, 0)
    _checked(copy, "pidfd_getfd")
    return copy


def open_beneath(directory: int, path: str, flags: int) -> int:
    """Open a path below a directory that leads through no link, and not out of there (openat2(2))."""
    how = struct.pack("=QQQ", flags | os.O_CLOEXEC, 0, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS)
    found: int = _libc.syscall(_OPENAT2, directory, os.fsencode(path), how, len(how))
    _checked(found, path)
    return found


def mount(source: str, target: str, kind: str = "", flags: int = 0, data: str = "") -> None:
    paths = os.fsencode(source), os.fsencode(target)  # a name is bytes, of whatever encoding
    _checked(_libc.mount(*paths, kind.encode(), ctypes.c_ulong(flags), data.encode()), target)


def unmount(target: str) -> None:
    """Unmount, even while it is in use (MNT_DETACH)."""
    _checked(_libc.umount2(os.fsencode(target), MNT_DETACH), target)


def pivot_root(new_root: str, put_old: str) -> None:
    """Make a mount the root of this mount namespace, and move the root that was before (pivot_root(2))."""
    _checked(_libc.pivot_root(os.fsencode(new_root), os.fsencode(put_old)), new_root)


def bind(fd: int, address: bytes) -> None:
    """Bind a socket to an address in the form of the kernel: that of a packet(7) socket for all interfaces."""
    _checked(_libc.bind(fd, address, len(address)), "bind")


def die_with_parent(parent: int, number: int = signal.SIGTERM) -> None:
    """Have the kernel end this process, by a signal, when the one that forked it ends; end now if it has ended already.

    The kernel forgets this when credentials change: call it after the last setns or setuid.
    `parent` is the PID that os.getppid() must still show, 0 where the parent is outside our PID namespace.
    """
    _checked(_libc.prctl(_PR_SET_PDEATHSIG, number, 0, 0, 0), "prctl")
    if os.getppid() != parent:
        os._exit(128 + number)


def be_untraceable() -> None:
    """Have no other process of this user trace this one or read its memory (PR_SET_DUMPABLE), and gain no rights."""
    _checked(_libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0), "prctl")
    _checked(_libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "prctl")


def adopt_orphans() -> None:
    """Become the parent of every process below this one that loses its own (PR_SET_CHILD_SUBREAPER)."""
    _checked(_libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), "prctl")


@contextmanager
def network_namespace(fd: int) -> Iterator[None]:
    """Run the body in the network namespace of `fd`; only this thread enters it, and returns at the end."""
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        setns(fd, CLONE_NEWNET)
        try:
            yield
        finally:
            setns(home, CLONE_NEWNET)
    finally:
        os.close(home)
