"""What a program sees in a namespace, as `ip netns exec` shows it (iproute2, lib/namespace.c: netns_switch), and more.

Its network is that of the namespace. So is what describes the network: /sys, because a sysfs lists the interfaces of
the network namespace in which it was mounted, and /etc, where each file of /etc/netns/NAME stands in the place of its
namesake. Last come the files and directories that the topology has for this namespace (own_files.py). All are mounts,
so the program is in a mount namespace of its own, and what they are mounted on does not pass them on
(mount_namespaces(7)). All else stays shared: what the program mounts, and each network namespace that it names, is seen
outside.

Each program has a mount namespace of its own, with the same mounts of the same files. One for all of them would have to
be kept alive and be found, and what the machine mounts later would have to be brought into it.

The kernel refuses a sysfs to an ordinary user where part of the machine's is hidden, as containers hide it
(fs/namespace.c: mount_too_revealing). Then the program sees the machine's.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path

from labctl.errors import kernel_words
from labctl.kernel import own_files
from labctl.kernel.surroundings import Mounts
from labctl.process import working_directory
from labctl.process.groups import let_groups_be_dropped
from labctl.process.syscalls import (
    CLONE_NEWNET,
    CLONE_NEWNS,
    MS_BIND,
    MS_NODEV,
    MS_NOEXEC,
    MS_NOSUID,
    MS_RDONLY,
    MS_REC,
    mount,
    setns,
    unshare,
)
from labctl.topology.hosts_file import HOSTS_FILE

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

    Return a line for each file that is not seen.
    """
    try:
        unshare(CLONE_NEWNS)
    except OSError as error:
        return [_not_seen(file, _namesake(file), error) for file in _files_for_etc(name)]
    mounts = Mounts()
    with suppress(OSError):
        mount_sysfs(mounts)
    kept = own_files.kept(name)
    names = _mount_hosts(kept, mounts) if kept else ()
    problems = [*names, *_mount_files(name, mounts), *(_mount_own_files(kept, mounts) if kept else ())]
    let_groups_be_dropped()
    return problems


def mount_sysfs(mounts: Mounts) -> None:
    """Mount the /sys of this network namespace, in a mount namespace that is ours alone. Raise OSError."""
    machines = os.open(SYS, os.O_PATH | os.O_CLOEXEC)
    try:
        # A user namespace may not make writable what is read-only around it.
        read_only = MS_RDONLY if os.statvfs(SYS).f_flag & os.ST_RDONLY else 0
        points = mounts.below(SYS)
        mounts.mount("sysfs", SYS, "sysfs", MS_NOSUID | MS_NODEV | MS_NOEXEC | read_only)
        for point in points:
            with suppress(OSError):
                mount(f"/proc/self/fd/{machines}/{point.relative_to(SYS)}", str(point), flags=MS_BIND | MS_REC)
    finally:
        os.close(machines)


def _mount_files(name: str, mounts: Mounts) -> Iterator[str]:
    """Mount each file of /etc/netns/NAME over its namesake. Yield a line for each that has none."""
    for file in _files_for_etc(name):
        try:
            mounts.mount(str(file), _namesake(file).resolve(), flags=MS_BIND | MS_REC)
        except OSError as error:
            yield _not_seen(file, _namesake(file), error)


def _mount_hosts(kept: Path, mounts: Mounts) -> Iterator[str]:
    """Mount the names of the lab, which a file of /etc/netns covers. Yield a line if they cannot be mounted."""
    hosts = own_files.hosts_of_directory(kept)
    if hosts.exists():
        yield from _shown([(HOSTS_FILE, hosts)], kept, mounts)


def _mount_own_files(kept: Path, mounts: Mounts) -> Iterator[str]:
    """Mount what the topology has for this namespace alone. Yield a line for each that cannot be mounted."""
    if own := own_files.targets(kept):
        here = working_directory.here()
        yield from _shown(own, kept, mounts)
        working_directory.return_to(here)


def _shown(files: Iterable[tuple[str, Path]], kept: Path, mounts: Mounts) -> Iterator[str]:
    for path, source in files:
        try:
            mounts.show(source, path, partial(own_files.around, kept))
        except OSError as error:
            yield _not_seen(source, Path(path), error)


def _files_for_etc(name: str) -> list[Path]:
    try:
        return sorted((ETC_OF_NAMESPACES / name).iterdir())
    except OSError:
        return []


def _namesake(file: Path) -> Path:
    return Path("/etc", file.name)


def _not_seen(file: Path, seen_as: Path, error: OSError) -> str:
    return f"{file} is not seen as {seen_as}: {kernel_words(error)}"
