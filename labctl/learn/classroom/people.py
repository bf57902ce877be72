"""The users of the machine by name: the machine's own files say who they are, and nothing of theirs."""

from __future__ import annotations

import pwd
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path

from labctl.errors import UsageError
from labctl.frozen import frozen
from labctl.process.users import user_name
from labctl.rootless.holders import Holder
from labctl.topology.unknown_names import no_such

MOST_LABS = 16
"""Labs of one user that are measured and shown: a teacher's screen is small. All of them are ended."""


@frozen
class Student:
    """A user with labs, or of the roster. `home` is empty where the machine does not know the user by name."""

    uid: int
    gid: int
    name: str
    home: str
    holders: tuple[Holder, ...] = ()

    @property
    def shown(self) -> tuple[Holder, ...]:
        """Return the labs that are measured and shown."""
        return self.holders[:MOST_LABS]

    @property
    def more(self) -> str:
        """Return, in words, how many other labs there are; nothing where there are none."""
        number = len(self.holders) - len(self.shown)
        return f"{number} more lab{'s' * (number != 1)}, not looked at" if number else ""


def students(holders: Iterable[Holder], roster: Iterable[int]) -> list[Student]:
    """Return all users that have labs or are of the roster, by name."""
    labs: dict[int, list[Holder]] = {uid: [] for uid in roster}
    for holder in holders:
        labs.setdefault(holder.uid, []).append(holder)
    return sorted((_student(uid, found) for uid, found in labs.items()), key=lambda each: (each.name, each.uid))


def _student(uid: int, holders: Sequence[Holder]) -> Student:
    gid, home = holders[0].gid if holders else uid, ""
    with suppress(KeyError):
        known = pwd.getpwuid(uid)
        gid, home = known.pw_gid, known.pw_dir
    return Student(uid, gid, user_name(uid), home, tuple(holders))


def chosen(known: Sequence[Student], names: Iterable[str]) -> list[Student]:
    """Return the students of these names or numbers, all where there is none.

    Who has no lab, and is not of the roster, is a user of the machine all the same. Raise UsageError for another one.
    """
    wanted = list(names)
    found = {word: each for each in known for word in (str(each.uid), each.name)}
    for name in wanted:
        if name not in found:
            user = by_name(name)
            if user is None:
                raise no_such(f"there is no student {name!r}", name, [each.name for each in known], among="there are")
            found[name] = user
    return [found[name] for name in dict.fromkeys(wanted)] if wanted else list(known)


def by_name(name: str) -> Student | None:
    """Return a user of the machine, without labs; None where it knows none of that name. Raise UsageError for root."""
    try:
        known = pwd.getpwnam(name)
    except KeyError:
        return None
    if known.pw_uid == 0:
        raise UsageError(f"{name} is root", "root is no student", "name ordinary users")
    return Student(known.pw_uid, known.pw_gid, known.pw_name, known.pw_dir)


def home_of(student: Student) -> Path | None:
    """Return the home of a student, None where the machine does not say."""
    return Path(student.home) if student.home.startswith("/") else None
