"""How a command on a host has ended where ssh does not tell: its exit code 255 is ssh's own, too, where the host is not
reached or the session ends.

So labctl on the host leaves a note, a file under a name that is made up for this command: an empty one where 255 is the
exit code of the command, and one with the error where labctl itself has failed, which then ends with 255. Who sees 255
here asks the host for the note, which is removed then.
"""

from __future__ import annotations

import os
from contextlib import suppress

from labctl.errors import LabError
from labctl.hosts.record import directory

OF_SSH = 255
"""ssh(1), EXIT STATUS."""

NOTE = "LABCTL_NOTE"
"""The environment variable with the name of the note."""


def noted(code: int) -> int:
    """Return the exit code of a command, once it is noted where another machine may take it for one of ssh.

    Where no file can be written, that machine tells that the end of the command is not known.
    """
    if code == OF_SSH and NOTE in os.environ:
        with suppress(OSError):
            _leave(b"")
    return code


def is_noted(error: LabError) -> bool:
    """Return whether an error is left to another machine, which has run this command and will ask for it."""
    if NOTE not in os.environ:
        return False
    from labctl.hosts import answers

    try:
        _leave(answers.dumps(error))
    except (OSError, answers.NotPlain):
        return False
    return True


def _leave(words: bytes) -> None:
    directory().mkdir(mode=0o700, parents=True, exist_ok=True)
    (directory() / os.environ[NOTE]).write_bytes(words)


def taken(name: str) -> bool:
    """Return whether the exit code was that of the command, and remove the note. Raise the LabError that it tells."""
    path = directory() / name
    try:
        words = path.read_bytes()
        path.unlink()
    except OSError:  # there is none, or it could not be written
        return False
    if words:
        from labctl.hosts import answers

        raise answers.loads(words)
    return True
