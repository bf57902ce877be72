"""labctl on this host that another machine has run: found by the note that it was executed with (notes.py)."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from pathlib import Path

from labctl.hosts.notes import NOTE
from labctl.process.processes import children


def send_signal(note: str, number: int) -> bool:
    """Send a signal to labctl that has this note. Return whether it is there.

    SIGINT is sent to all of its group, as by a terminal: labctl leaves what is typed to its command.
    """
    word = f"{NOTE}={note}".encode()
    having = [pid for pid in map(int, filter(str.isdecimal, os.listdir("/proc"))) if _has(pid, word)]
    forked = {child for pid in having for child in children(pid)}
    for pid in having:
        if pid in forked:
            continue
        with suppress(ProcessLookupError):
            command = os.pidfd_open(pid)
            if _has(pid, word):  # still: the pidfd is of that process
                if number == signal.SIGINT:
                    os.killpg(os.getpgid(pid), number)
                else:
                    signal.pidfd_send_signal(command, number)
                return True
    return False


def _has(pid: int, word: bytes) -> bool:
    """Return whether a process was executed with a word in its environment, and runs the program that we run, too.

    So a script that labctl is to this user, and that waits for it, is not taken for it.
    """
    process = Path("/proc", str(pid))
    try:
        return word in (process / "environ").read_bytes().split(b"\0") and (process / "exe").samefile("/proc/self/exe")
    except OSError:  # it has ended, or is another user's
        return False
