"""The exit code 255 of a command on a host. It is ssh's own, too, where the host is not reached or the session ends.

So labctl on the host notes it when it is the command's, as an empty file under a name that is made up for this command.
Who sees 255 here asks the host for that file, which is removed then.
"""

from __future__ import annotations

import os
from contextlib import suppress

from labctl.hosts.record import directory

OF_SSH = 255
"""ssh(1), EXIT STATUS."""

NOTE = "LABCTL_NOTE"
"""The environment variable with the name of the note."""


def noted(code: int) -> int:
    """Return the exit code of a command, once it is noted where another machine may take it for one of ssh.

    Where no file can be written, that machine tells that the end of the command is not known.
    """
    if code == OF_SSH and (name := os.environ.get(NOTE)):
        with suppress(OSError):
            directory().mkdir(mode=0o700, parents=True, exist_ok=True)
            (directory() / name).touch()
    return code


def is_noted(name: str) -> bool:
    """Return whether the exit code was that of the command, and remove the note."""
    try:
        (directory() / name).unlink()
    except OSError:  # there is none, or it could not be written
        return False
    return True
