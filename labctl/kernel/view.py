"""What a program sees in a namespace, as `ip netns exec` shows it (iproute2, lib/namespace.c: netns_switch).

Its network is that of the namespace. So is what describes the network: /sys, because a sysfs lists the interfaces of
the network namespace in which it was mounted, and /etc, where each file of /etc/netns/NAME stands in the place of its
namesake. Both are mounts, so the program is in a mount namespace of its own, and what they are mounted on does not pass
them on (mount_namespaces(7)). All else stays shared: what the program mounts, and each network namespace that it names,
is seen outside.

The kernel refuses a sysfs to an ordinary user where part of the machine's is hidden, as containers hide it
(fs/namespace.c: mount_too_revealing). Then the program sees the machine's.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from labctl.errors import kernel_words
from labctl.process.mounts import below, mount_points
from labctl.process.syscalls import (
    CLONE_NEWNET,
    CLONE_NEWNS,
    MS_BIND,
    MS_NODEV,
    MS_NOEXEC,
    MS_NOSUID,
    MS_RDONLY,
    MS_REC,
    MS_SLAVE,
    mount,
    setns,
    unshare,
)

SYS = Path("/sys")
ETC_OF_NAMESPACES = Path("/etc/netns")


def enter(namespace: int, name: str) -> list[str]:
    """Bring this process into the namespace of a descriptor, and have it see what belongs there, as `show` does.

    Raise OSError where the namespace cannot be entered.
    """
    setns(namespace, CLONE_NEWNET)
    return show(name)


def show(name: str) -> list[str]:
    """Have this process, which is in the network namespace of this name, see what belongs there; there is no way back.

    Return a line for each file of /etc/netns/NAME that is not seen in /etc.
    """
    try:
        unshare(CLONE_NEWNS)
    except OSError as error:
        return [_not_seen(file, error) for file in _files_for_etc(name)]
    with suppress(OSError):
        mount_sysfs()
    return list(_mount_files(name))


def mount_sysfs() -> None:
    """Mount the /sys of this network namespace, in a mount namespace that is ours alone. Raise OSError."""
    points = mount_points()
    machines = os.open(SYS, os.O_PATH | os.O_CLOEXEC)
    try:
        # A user namespace may not make writable what is read-only around it.
        read_only = MS_RDONLY if os.statvfs(SYS).f_flag & os.ST_RDONLY else 0
        _mount("sysfs", SYS, points, "sysfs", MS_NOSUID | MS_NODEV | MS_NOEXEC | read_only)
        for point in below(SYS, points):
            with suppress(OSError):
                mount(f"/proc/self/fd/{machines}/{point.relative_to(SYS)}", str(point), flags=MS_BIND | MS_REC)
    finally:
        os.close(machines)


def _mount_files(name: str) -> Iterator[str]:
    """Mount each file of /etc/netns/NAME over its namesake. Yield a line for each that has none."""
    for file in _files_for_etc(name):
        try:
            _mount(str(file), _namesake(file).resolve(), mount_points(), flags=MS_BIND | MS_REC)
        except OSError as error:
            yield _not_seen(file, error)


def _mount(source: str, target: Path, points: set[Path], kind: str = "", flags: int = 0) -> None:
    """Mount something so that no other mount namespace sees it. Raise OSError."""
    on = next((path for path in (target, *target.parents) if path in points), Path("/"))
    mount("", str(on), flags=MS_SLAVE)
    mount(source, str(target), kind, flags)


def _files_for_etc(name: str) -> list[Path]:
    try:
        return sorted((ETC_OF_NAMESPACES / name).iterdir())
    except OSError:
        return []


def _namesake(file: Path) -> Path:
    return Path("/etc", file.name)


def _not_seen(file: Path, error: OSError) -> str:
    return f"{file} is not seen as {_namesake(file)}: {kernel_words(error)}"
