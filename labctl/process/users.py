"""Users: names, numbers, and the numbers that they have in a user namespace (user_namespaces(7), uid_map)."""

from __future__ import annotations

import os
import pwd
from collections.abc import Iterator, Mapping
from dataclasses import field
from pathlib import Path

from labctl.engine.drop_privileges import NET_BIND_SERVICE, keep_through_exec
from labctl.errors import UsageError
from labctl.frozen import frozen


@frozen
class User:
    """A user with its groups, by number as the user namespace that we are in has them."""

    uid: int
    gid: int
    groups: tuple[int, ...]
    variables: Mapping[str, str] = field(default_factory=dict)  # what login(1) sets

    def become(self) -> None:
        """Become this user, who may still open ports below 1024, for good. Raise OSError where the kernel refuses."""
        with keep_through_exec(NET_BIND_SERVICE):
            os.setgroups(self.groups)
            os.setresgid(self.gid, self.gid, self.gid)
            os.setresuid(self.uid, self.uid, self.uid)


def uid_of(owner: str) -> int:
    """Return the user ID of a name or a number. Raise UsageError."""
    if owner.isascii() and owner.isdigit():
        return int(owner)
    try:
        return pwd.getpwnam(owner).pw_uid
    except KeyError:
        raise UsageError(
            f"there is no user {owner!r} on this machine",
            "the topology file names it",
            "id -un tells your name",
        ) from None


def own_uid() -> int:
    """Return the user ID of this process as the machine has it."""
    return outside(os.getuid())


def user_name(uid: int) -> str:
    """Return the name of a user ID; the number itself where it has none."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def outside(uid: int) -> int:
    """Return what a user ID of this user namespace is on the machine, the inverse of `uid_here`."""
    return next((outer + uid - inner for inner, outer, count in _uid_map() if inner <= uid < inner + count), uid)


def uid_here(owner: str) -> int | None:
    """Return the owner as this user namespace numbers it, None where it has no number (user_namespaces(7), uid_map)."""
    uid = uid_of(owner)
    inside = (inner + uid - outer for inner, outer, count in _uid_map() if outer <= uid < outer + count)
    return next(inside, None)


def user_here(name: str) -> User | None:
    """Return the user of a name or a number; None for the one that we are, and for one that does not exist here.

    Raise UsageError where this machine does not know the name.
    """
    uid = uid_here(name)
    if uid is None or uid == os.geteuid():
        return None
    try:
        known = pwd.getpwuid(uid)
    except KeyError:
        return User(uid, uid, ())
    variables = {"HOME": known.pw_dir, "USER": known.pw_name, "LOGNAME": known.pw_name}
    return User(uid, known.pw_gid, tuple(os.getgrouplist(known.pw_name, known.pw_gid)), variables)


def _uid_map() -> Iterator[tuple[int, int, int]]:
    """Yield the first number here, the first number outside, and how many they are."""
    for line in Path("/proc/self/uid_map").read_text().splitlines():
        inner, outer, count = map(int, line.split())
        yield inner, outer, count
