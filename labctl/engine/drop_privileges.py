"""Dropping privileges: an endpoint keeps no right that it does not need any more.

An endpoint needs rights only to open its ports. From then on it reads packets from the network, so it keeps
nothing: not root's user id, no supplementary group, no capability, and no means to get one back by executing a
program. Its open descriptors go on working, for the kernel checked them when they were
opened. One capability may stay where an endpoint needs it later (`wildcard`).

The order matters: the ids need the very capabilities that are dropped last. The bounding set only says what
could still be got, so it goes before the ports are open. In a user namespace that maps a single id there is
no other to become (EINVAL), and a container may withhold the right to change (EPERM). Root without a
capability is then what is left, and it is little.
"""

from __future__ import annotations

import ctypes
import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

NOBODY = 65534

# linux/prctl.h, linux/capability.h
PR_SET_KEEPCAPS = 8
PR_CAPBSET_DROP = 24
PR_SET_NO_NEW_PRIVS = 38
PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, PR_CAP_AMBIENT_CLEAR_ALL = 47, 2, 4
CAPABILITY_VERSION_3 = 0x20080522
CAPABILITIES = 64
NET_BIND_SERVICE = 1 << 10

_libc = ctypes.CDLL(None, use_errno=True)


class _Header(ctypes.Structure):
    _fields_ = [("version", ctypes.c_uint32), ("pid", ctypes.c_int)]


class _Data(ctypes.Structure):
    _fields_ = [(name, ctypes.c_uint32) for name in ("effective", "permitted", "inheritable")]


def enter(run_as: int | None = NOBODY, keep: int = 0) -> None:
    """Drop all privileges for good, after `gain_nothing`; become user and group `run_as` if root, where that exists.

    `keep` is a mask of capabilities to stay, of the first 32, and of an ordinary user those that there are.
    Changing the user id also clears PR_SET_PDEATHSIG and makes /proc/PID root's. Raise OSError if the kernel refuses.
    """
    keep &= _permitted()
    if run_as is not None and os.geteuid() == 0:
        if keep:
            _call(_libc.prctl, PR_SET_KEEPCAPS, 1, 0, 0, 0)
        _become(run_as)
    _call(_libc.prctl, PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)
    # Two halves of 64 bits each; pid 0 is the calling thread.
    left = (_Data * 2)(_Data(effective=keep, permitted=keep))
    _call(_libc.capset, ctypes.byref(_Header(CAPABILITY_VERSION_3, 0)), ctypes.byref(left))
    _call(_libc.prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)


@contextmanager
def keep_through_exec(keep: int) -> Iterator[None]:
    """Change user and groups in the body, and keep those capabilities of a mask that there are, in what is executed.

    They become ambient (capabilities(7)). Raise OSError if the kernel refuses.
    """
    keep &= _permitted()
    _call(_libc.prctl, PR_SET_KEEPCAPS, 1, 0, 0, 0)
    yield
    left = (_Data * 2)(_Data(effective=keep, permitted=keep, inheritable=keep))
    _call(_libc.capset, ctypes.byref(_Header(CAPABILITY_VERSION_3, 0)), ctypes.byref(left))
    for number in range(32):
        if keep >> number & 1:
            _call(_libc.prctl, PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, number, 0, 0)


def gain_nothing() -> None:
    """Drop for good what executing a program could bring (the bounding set). Raise OSError if the kernel refuses."""
    for capability in range(CAPABILITIES):
        try:
            _call(_libc.prctl, PR_CAPBSET_DROP, capability, 0, 0, 0)
        except OSError as error:
            # EINVAL: this kernel knows no more of them. EPERM: an ordinary user, who has none to bound.
            if error.errno in (errno.EINVAL, errno.EPERM):
                return
            raise


def _permitted() -> int:
    """Return the capabilities that this process has, of the first 32, as a mask."""
    found = (_Data * 2)()
    _call(_libc.capget, ctypes.byref(_Header(CAPABILITY_VERSION_3, 0)), ctypes.byref(found))
    return int(found[0].permitted)


def _become(user: int) -> None:
    try:
        os.setgroups([])
        os.setresgid(user, user, user)
        os.setresuid(user, user, user)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.EPERM):
            raise


def _call(function: Any, *arguments: Any) -> None:
    """Call into libc with each number as an unsigned long, as the kernel reads them. Raise OSError if it fails."""
    words = [ctypes.c_ulong(each) if isinstance(each, int) else each for each in arguments]
    if function(*words) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
