"""What root leaves for users to read: messages, and the seed of each. It is root's own, and each reads only theirs.

/run/labctl-class/messages/UID, /run/labctl-class/seeds/UID
"""

from __future__ import annotations

import json
import os
import shutil
import time
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

from labctl.frozen import frozen
from labctl.learn.classroom.printable import printable
from labctl.learn.classroom.reported import Fields, NotUnderstood, read_regular
from labctl.process.disk import refuse_if_others_may_write
from labctl.process.users import own_uid

DIRECTORY = Path("/run/labctl-class")
MOST_MESSAGES = 20
LONGEST_MESSAGE = 400


@frozen
class Message:
    """A text of the teacher, and when it was sent, in seconds since the epoch."""

    at: float
    text: str


def messages() -> list[Message]:
    """Return what the teacher has told the user of this process, the oldest first."""
    return _messages(own_uid())


def own_seed() -> int | None:
    """Return the seed that the teacher has for the user of this process; None where there is none."""
    return seed_of(own_uid())


def seed_of(uid: int) -> int | None:
    """Return the seed that root has for a user; None where there is none."""
    found = _read("seeds", uid)
    with suppress(NotUnderstood):
        return found.whole("seed") if found else None
    return None


def send(uid: int, gid: int, text: str) -> None:
    """Leave a message for a user."""
    kept = [*_messages(uid), Message(time.time(), printable(text, LONGEST_MESSAGE))][-MOST_MESSAGES:]
    _write("messages", uid, gid, {"messages": [asdict(each) for each in kept]})


def give_seed(uid: int, gid: int, seed: int) -> None:
    """Leave a seed for a user, in place of another one."""
    _write("seeds", uid, gid, {"seed": seed})


def clear() -> None:
    """Remove all messages and seeds."""
    if DIRECTORY.is_dir() and not DIRECTORY.is_symlink():
        shutil.rmtree(DIRECTORY)


def users() -> list[int]:
    """Return the users for whom there is a seed: those of the roster."""
    with suppress(OSError):
        return sorted(int(name) for name in os.listdir(DIRECTORY / "seeds") if name.isdigit())
    return []


def _messages(uid: int) -> list[Message]:
    found = _read("messages", uid)
    with suppress(NotUnderstood):
        return (
            [Message(each.moment("at") or 0.0, each.text("text")) for each in found.many("messages")] if found else []
        )
    return []


def _read(what: str, uid: int) -> Fields | None:
    """Return what root has left for a user; None where there is nothing, or it is not root's."""
    path = DIRECTORY / what / str(uid)
    with suppress(OSError, NotUnderstood):
        if path.stat(follow_symlinks=False).st_uid == 0 and path.parent.stat(follow_symlinks=False).st_uid == 0:
            return Fields.read(read_regular(str(path)))
    return None


def _write(what: str, uid: int, gid: int, value: object) -> None:
    """Put a file that only root writes and one user reads in the place of what was there."""
    for directory in (DIRECTORY, DIRECTORY / what):
        directory.mkdir(exist_ok=True)
        refuse_if_others_may_write(directory)
        directory.chmod(0o755)
    path = DIRECTORY / what / str(uid)
    temporary = path.with_name(f".{uid}.{os.getpid()}")
    fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        with open(fd, "w") as file:
            file.write(json.dumps(value))
            file.flush()
            os.fchown(fd, 0, gid)
            os.fchmod(fd, 0o640)
        temporary.rename(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
