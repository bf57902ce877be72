"""Which programs have a socket or a TUN device open, and whether they run (proc(5): PID/fd, PID/fdinfo, PID/stat).

The descriptor of a TUN device tells the name of the device, but not its namespace. That can be asked through a copy of
the descriptor (pidfd_getfd(2), TUNGETDEVNETNS), which changes nothing.
"""

from __future__ import annotations

import fcntl
import os
import stat
from collections.abc import Collection, Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from labctl.frozen import frozen
from labctl.process.processes import state_of, title_of
from labctl.process.syscalls import pidfd_getfd

_TUNGETDEVNETNS = 0x54E3  # linux/if_tun.h
_STATES = {
    "R": "running", "S": "sleeping", "D": "waiting", "I": "idle", "T": "stopped", "t": "stopped by a debugger",
    "Z": "ended", "X": "ended", "": "ended",
}  # fmt: skip


@frozen
class Program:
    """A process: its PID, its name (proc(5), comm), and what it does: running, sleeping, stopped, ended."""

    pid: int
    name: str
    state: str

    @property
    def is_stopped(self) -> bool:
        return self.state.startswith("stopped")


def program(pid: int) -> Program:
    """Return the program of a PID as it is now."""
    state = state_of(pid)
    return Program(pid, title_of(pid), _STATES.get(state, state))


def with_sockets(inodes: Collection[int]) -> dict[int, tuple[Program, ...]]:
    """Return the programs that have these sockets open, by inode, as far as /proc shows them."""
    found: dict[int, list[int]] = {}
    for pid in _pids() if inodes else ():
        for target in set(_targets(pid).values()):
            if target.startswith("socket:[") and (inode := int(target[8:-1])) in inodes:
                found.setdefault(inode, []).append(pid)
    return {inode: tuple(map(program, pids)) for inode, pids in found.items()}


def writes(pids: Iterable[int], path: str) -> bool:
    """Return whether one of some processes has a file open for writing, as far as /proc shows it."""
    with suppress(OSError):
        wanted = os.stat(path)
        return any(os.path.samestat(written, wanted) for pid in pids for written in _written(pid))
    return False


def _written(pid: int) -> Iterator[os.stat_result]:
    """Yield what a process has open for writing: the mode of a link of /proc/PID/fd says that (proc(5))."""
    with suppress(OSError):  # it has ended meanwhile, or is another user's
        for descriptor in os.scandir(f"/proc/{pid}/fd"):
            if descriptor.stat(follow_symlinks=False).st_mode & stat.S_IWUSR:
                yield descriptor.stat()


def with_tun_devices() -> dict[str, tuple[Program, ...]]:
    """Return the programs that are attached to the TUN and TAP devices of this thread's namespace, by device.

    A device is left out where no program is seen to have it. A descriptor whose namespace the kernel does not tell is
    taken to be of the namespace that its process is in.
    """
    here = os.stat("/proc/thread-self/ns/net")
    found: dict[str, list[int]] = {}
    for pid in _pids():
        for number, device in tun_devices(pid).items():
            if _is_of(here, pid, number):
                found.setdefault(device, []).append(pid)
    return {device: tuple(map(program, dict.fromkeys(pids))) for device, pids in found.items()}


def tun_devices(pid: int) -> dict[int, str]:
    """Return the TUN and TAP devices that a process is attached to, by descriptor (drivers/net/tun.c: fdinfo)."""
    # The path does not tell: a container may have the device elsewhere, and one made anew has "(deleted)" at its end.
    opened = (number for number, target in _targets(pid).items() if target.startswith("/"))
    return {number: device for number in opened if (device := _attached_to(pid, number))}


def _attached_to(pid: int, number: int) -> str:
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/fdinfo/{number}").read_text().splitlines():
            if line.startswith("iff:"):
                return line.partition("\t")[2]
    return ""


def _pids() -> Iterator[int]:
    return (int(name) for name in os.listdir("/proc") if name.isdigit())


def _targets(pid: int) -> dict[int, str]:
    """Return what the descriptors of a process are of, by their number."""
    found = {}
    with suppress(OSError):  # it has ended meanwhile, or is another user's
        for descriptor in os.scandir(f"/proc/{pid}/fd"):
            found[int(descriptor.name)] = os.readlink(descriptor.path)
    return found


def _is_of(namespace: os.stat_result, pid: int, number: int) -> bool:
    """Return whether the device behind a descriptor of a process is of a namespace."""
    try:
        return os.path.samestat(_namespace_of_device(pid, number), namespace)
    except OSError:
        with suppress(OSError):
            return os.path.samestat(os.stat(f"/proc/{pid}/ns/net"), namespace)
    return False


def _namespace_of_device(pid: int, number: int) -> os.stat_result:
    process = os.pidfd_open(pid)
    try:
        copy = pidfd_getfd(process, number)
        try:
            namespace = fcntl.ioctl(copy, _TUNGETDEVNETNS)
        finally:
            os.close(copy)
    finally:
        os.close(process)
    try:
        return os.fstat(namespace)
    finally:
        os.close(namespace)
