"""What an endpoint may still ask of the kernel once its ports are open, by a filter of system calls (`seccomp`).

It forwards, answers its control socket, takes note of changes, and ends. Whatever else is asked for, such as to open a
file or a socket or to start a program, is refused with EPERM. It is not killed for it: the first to ask for more will
be the interpreter or the C library of another release, which then goes on without, or the endpoint ends with an error
in its log, where a kill would end it without a word. For who has taken over the process both come to the same.

An endpoint that is bound to a wildcard follows the addresses of its host (`udp.wildcard`), so it may open sockets for
datagrams, of any family.
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterator, Mapping

from labctl.engine.seccomp import (
    ALLOW,
    ANSWER,
    ARCHITECTURE,
    JUMP_IF_EQUAL,
    LOAD,
    MACHINES,
    NUMBER,
    RETURN,
    SECOND_ARGUMENT,
    Instruction,
    install,
)

_COLUMNS = ("x86_64", "aarch64")
# Their numbers in asm/unistd.h by machine, -1 where there is none. Those that a packet takes come first.
_ALLOWED = {
    "epoll_wait": (232, -1), "epoll_pwait": (281, 22), "readv": (19, 65), "writev": (20, 66), "sendmsg": (46, 211),
    "recvmsg": (47, 212), "read": (0, 63), "write": (1, 64), "sendto": (44, 206), "recvfrom": (45, 207),
    "sched_yield": (24, 124), "clock_gettime": (228, 113), "getsockopt": (55, 209), "setsockopt": (54, 208),
    "getsockname": (51, 204), "accept4": (288, 242), "poll": (7, -1), "ppoll": (271, 73), "close": (3, 57),
    "epoll_create1": (291, 20), "epoll_ctl": (233, 21), "timerfd_create": (283, 85), "timerfd_settime": (286, 86),
    "ftruncate": (77, 46), "fcntl": (72, 25), "brk": (12, 214), "mmap": (9, 222), "munmap": (11, 215),
    "mprotect": (10, 226), "mremap": (25, 216), "madvise": (28, 233), "futex": (202, 98), "getrandom": (318, 278),
    "getpid": (39, 172), "rt_sigaction": (13, 134), "rt_sigprocmask": (14, 135), "rt_sigreturn": (15, 139),
    "restart_syscall": (219, 128), "exit": (60, 93), "exit_group": (231, 94),
}  # fmt: skip
_IOCTL = (16, 29)
# TUNSETOFFLOAD, TUNGETIFF, SIOCGIFMTU; FIONBIO, FIOCLEX, by which Python sets up a socket.
_REQUESTS = (0x400454D0, 0x800454D2, 0x8921, 0x5421, 0x5451)

_TO_MOVE = {"bind": (49, 200), "connect": (42, 203), "dup3": (292, 24)}
_SOCKET = (41, 198)
_DATAGRAMS = (0x80002, 0x80802)  # SOCK_DGRAM | SOCK_CLOEXEC, and with SOCK_NONBLOCK
_SCOPES = (0x8910, 0x8933)  # SIOCGIFNAME, SIOCGIFINDEX: the interface of a link-local address


def confine(moves: bool = False, requests: tuple[int, ...] = ()) -> None:
    """Allow this process only what an endpoint needs that forwards, for good; one that `moves` is bound to a wildcard.

    `requests` are the numbers of what it asks of its device or socket beside that (ioctl(2)).
    It must not be able to gain privileges any more (PR_SET_NO_NEW_PRIVS). Raise OSError if the kernel refuses.
    """
    name = os.uname().machine
    if name not in _COLUMNS or sys.maxsize < 1 << 32:  # a program of 32 bits has other numbers on the same kernel
        raise OSError(errno.ENOSYS, f"the numbers of the system calls of this machine ({name}) are not known here")
    column = _COLUMNS.index(name)
    calls = {**_ALLOWED, **_TO_MOVE} if moves else _ALLOWED
    asked = (*_REQUESTS, *requests)
    some = {_IOCTL: (*asked, *_SCOPES), _SOCKET: _DATAGRAMS} if moves else {_IOCTL: asked}
    numbers = [each[column] for each in calls.values() if each[column] >= 0]
    lines = _filter(MACHINES[name].architecture, numbers, {each[column]: seconds for each, seconds in some.items()})
    install(MACHINES[name], lines)


def _filter(architecture: int, calls: list[int], some: Mapping[int, tuple[int, ...]]) -> Iterator[Instruction]:
    """Yield a filter that allows `calls`, and `some` with these numbers as their second argument."""
    allow, refuse = (RETURN, 0, 0, ALLOW), (RETURN, 0, 0, ANSWER | errno.EPERM)
    yield from ((LOAD, 0, 0, ARCHITECTURE), (JUMP_IF_EQUAL, 1, 0, architecture), refuse, (LOAD, 0, 0, NUMBER))
    for number in calls:
        yield from ((JUMP_IF_EQUAL, 0, 1, number), allow)
    for number, seconds in some.items():
        yield from ((JUMP_IF_EQUAL, 0, 2 * len(seconds) + 2, number), (LOAD, 0, 0, SECOND_ARGUMENT))
        for second in seconds:
            yield from ((JUMP_IF_EQUAL, 0, 1, second), allow)
        yield refuse
    yield refuse
