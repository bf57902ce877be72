"""labctl on this host that another machine has run: found by the note that it was executed with (notes.py)."""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from pathlib import Path

from labctl.hosts.notes import NOTE
from labctl.process.proc import status_field
from labctl.process.processes import children

BEGINS = 3.0
"""Seconds in which labctl that has just been run begins to hear signals: until then one would end it unheard."""


def send_signal(note: str, number: int) -> bool:
    """Send a signal to labctl that has this note. Return whether it is there.

    SIGINT is sent to all of its group, as by a terminal: labctl leaves what is typed to its command.
    """
    word, end = f"{NOTE}={note}".encode(), time.monotonic() + BEGINS
    while time.monotonic() < end:
        for pid in _having(word):
            with suppress(ProcessLookupError):
                command = os.pidfd_open(pid)
                if not (_has(pid, word) and _hears(pid)):  # the pidfd is of that process
                    continue
                if number == signal.SIGINT:
                    os.killpg(os.getpgid(pid), number)
                else:
                    signal.pidfd_send_signal(command, number)
                return True
        time.sleep(0.02)
    return False


def _having(word: bytes) -> set[int]:
    """Return the processes that have a word in their environment, and were not forked by such a one."""
    having = {pid for pid in map(int, filter(str.isdecimal, os.listdir("/proc"))) if _has(pid, word)}
    return having - {child for pid in having for child in children(pid)}


def _has(pid: int, word: bytes) -> bool:
    """Return whether a process was executed with a word in its environment, and runs the program that we run, too.

    So a script that labctl is to this user, and that waits for it, is not taken for it.
    """
    process = Path("/proc", str(pid))
    try:
        return word in (process / "environ").read_bytes().split(b"\0") and (process / "exe").samefile("/proc/self/exe")
    except OSError:  # it has ended, or is another user's
        return False


def _hears(pid: int) -> bool:
    """Return whether a process handles SIGTERM (proc(5), SigCgt of status), as labctl does from its beginning."""
    with suppress(OSError):
        return bool(int(status_field("SigCgt", pid) or "0", 16) >> signal.SIGTERM - 1 & 1)
    return False
