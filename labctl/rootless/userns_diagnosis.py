"""Why this machine refuses a rootless environment to an ordinary user, and what helps.

Settings are no proof: one may allow what a container then forbids. So nothing here decides whether an environment can
be made; it only explains a refusal, from the errno and what can be read (user_namespaces(7), notes of distributions).
"""

from __future__ import annotations

import errno
from collections.abc import Iterator
from pathlib import Path

from labctl.frozen import frozen
from labctl.process.mounts import mount_points
from labctl.process.proc import status_field


@frozen
class Diagnosis:
    """One row of `labctl doctor`: `verdict` is ok, note (works, but know this) or missing."""

    name: str
    verdict: str
    found: str
    helps: str = ""


@frozen
class Readings:
    """Settings that decide over user namespaces. None where the machine does not have the setting."""

    user_namespaces: bool = True
    limit: int | None = None  # user.max_user_namespaces
    unprivileged_clone: int | None = None  # kernel.unprivileged_userns_clone: Debian <= 10, hardened kernels
    apparmor: int | None = None  # kernel.apparmor_restrict_unprivileged_userns: Ubuntu >= 23.10
    seccomp: int = 0  # 2: a filter, as containers have
    chroot: bool = False


def read() -> Readings:
    """Return the settings of this machine."""
    return Readings(
        Path("/proc/self/ns/user").exists(),
        _setting("/proc/sys/user/max_user_namespaces"),
        _setting("/proc/sys/kernel/unprivileged_userns_clone"),
        _setting("/proc/sys/kernel/apparmor_restrict_unprivileged_userns"),
        int(status_field("Seccomp") or 0),
        Path("/") not in mount_points(),
    )


def _setting(path: str) -> int | None:
    try:
        return int(Path(path).read_text())
    except (OSError, ValueError):
        return None


def why_refused(error: int, readings: Readings | None = None) -> str:
    """Return what helps where the kernel refused a user namespace, or something inside one, with this errno."""
    for applies, _, helps in obstacles(readings or read(), error):
        if applies:
            return helps
    return "labctl doctor shows what this machine allows; with sudo labctl needs no user namespace"


def obstacles(now: Readings, error: int = 0) -> Iterator[tuple[bool, str, str]]:
    """Yield every known obstacle: whether it is there, how it reads, what helps. The most certain one comes first."""
    yield (
        not now.user_namespaces or error == errno.EINVAL,
        f"kernel has user namespaces: {'yes' if now.user_namespaces else 'no'}",
        "this kernel has no user namespaces: use sudo",
    )
    yield (
        now.limit == 0 or error in (errno.ENOSPC, errno.EUSERS),
        f"user.max_user_namespaces = {_shown(now.limit)}",
        "raise the limit (as root): sysctl user.max_user_namespaces=10000",
    )
    yield (
        now.unprivileged_clone == 0,
        f"kernel.unprivileged_userns_clone = {_shown(now.unprivileged_clone)}",
        "allow it (as root): sysctl kernel.unprivileged_userns_clone=1",
    )
    yield (
        now.apparmor == 1,
        f"kernel.apparmor_restrict_unprivileged_userns = {_shown(now.apparmor)}",
        "give labctl an AppArmor profile with `userns,` (docs/rootless.md), or use sudo",
    )
    yield (
        now.seccomp == 2,
        f"system call filter (Seccomp in /proc/self/status) = {now.seccomp}",
        "this is a container: start it with --privileged --device /dev/net/tun, or be root in it",
    )
    yield (
        now.chroot,
        f"inside a chroot: {'yes' if now.chroot else 'no'}",
        "a chroot may not make user namespaces (unshare(2)): run labctl outside it, or use sudo",
    )


def _shown(value: int | None) -> str:
    return "not there" if value is None else str(value)
