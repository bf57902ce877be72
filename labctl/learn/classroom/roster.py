"""A roster: a CSV file with a line for each user, of which each gets a seed of their own.

The seed is made from the name of the course and that of the user. So it is the same on every machine and whoever else
is in the list, and neighbours have different addresses and different faults.
"""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Iterator, Sequence
from pathlib import Path

from labctl.errors import UsageError, kernel_words
from labctl.frozen import frozen
from labctl.learn.classroom import people, spool
from labctl.learn.classroom.printable import printable

HEADINGS = ("user", "username", "login", "name")
"""A first line whose first word is one of these has no user."""

MOST = 1000
_SEEDS = 1 << 31


@frozen
class Entry:
    """A user of the roster with their seed, and whether this machine knows them."""

    user: str
    seed: int
    known: bool


def entries(users: Sequence[str], course: str) -> Iterator[tuple[str, int]]:
    """Yield each user with a seed; no two have the same."""
    taken: set[int] = set()
    for user in users:
        digest = hashlib.sha256(f"{course}\0{user}".encode()).digest()
        seed = int.from_bytes(digest[:8], "big") % _SEEDS
        while seed in taken:
            seed = (seed + 1) % _SEEDS
        taken.add(seed)
        yield user, seed


def users_in(text: str) -> list[str]:
    """Return the users of a CSV text: the first column. Raise UsageError where there is none, or one twice."""
    rows = [row for row in csv.reader(io.StringIO(text)) if row and row[0].strip() and not row[0].startswith("#")]
    if rows and rows[0][0].strip().lower() in HEADINGS:
        rows = rows[1:]
    users = [row[0].strip() for row in rows]
    if not users or len(users) > MOST:
        raise UsageError("the roster has no users", "" if not users else f"it has more than {MOST}", "a line each")
    twice = next((user for user in users if users.count(user) > 1), None)
    if twice:
        raise UsageError(f"{printable(twice)} is in the roster twice", "", "leave one of the lines")
    return users


def read(file: Path) -> list[str]:
    """Return the users of a CSV file. Raise UsageError."""
    try:
        return users_in(file.read_text(encoding="utf-8-sig"))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        why = kernel_words(error) if isinstance(error, OSError) else str(error)
        raise UsageError(
            f"{file} cannot be read as a roster", why, "it is a CSV file with a line for each user"
        ) from None


def enrol(users: Sequence[str], course: str) -> list[Entry]:
    """Give each user of the roster that this machine knows a seed, and return all. Raise UsageError for root."""
    known = [(user, seed, people.by_name(user)) for user, seed in entries(users, course)]
    for _, seed, student in known:
        if student:
            spool.give_seed(student.uid, student.gid, seed)
    return [Entry(printable(user), seed, student is not None) for user, seed, student in known]
