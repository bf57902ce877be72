"""What asks a command to end that runs on another machine: the signal goes to labctl there, which passes it on.

ssh passes no signal on, and once it has ended nothing reads what the command prints last. So ssh does not hear what
asks this process to end, also where that is sent to all its group, as by timeout(1) and Ctrl-C. A second login sends
the signal to the process there that was executed with the note of this command (by_note.py); then ssh ends by itself,
once the command has, with its last words and its exit code. Where that login fails, ssh is ended, and the command there
with its session (session_end.py).
"""

from __future__ import annotations

import os
import signal
import subprocess
from contextlib import suppress
from functools import partial

from labctl.hosts.command import ENDS_SSH, SSH, labctl_there, run_there
from labctl.hosts.record import Host
from labctl.process.signals import TERMINATION, on_terminal
from labctl.process.syscalls import die_with_parent
from labctl.process.waiting import Ready, readable, until_it_ends

PATIENCE = 20
"""Seconds that the second login has; a busy host takes some to load labctl."""

BY_ITSELF = 1.0
"""Seconds in which ssh ends of which no command is there any more."""


def run_hearing(
    signals: int, host: Host, words: list[str], note: str, ready: Ready = readable, output: int | None = None
) -> int:
    """Run labctl on a host as `run_there` does, and pass on the signals that are heard at a descriptor (heard).

    They are TERMINATION. Return the exit code, 128 + N where signal N could not be passed on, and ended ssh.
    """
    ended_by: list[int] = []

    def wait(process: subprocess.Popen[bytes]) -> int:
        def tell(number: int) -> None:
            if not _passed_on(host, note, number) and not _ends(process):
                ended_by.append(number)
                process.send_signal(ENDS_SSH)
                if not _ends(process):  # it is stopped
                    process.kill()

        code = until_it_ends(process, signals, tell, ready)
        return -ended_by[0] if ended_by else code

    return run_there(host, words, note, wait, output, deaf=TERMINATION)


def _passed_on(host: Host, note: str, number: int) -> bool:
    """Send a signal to labctl on a host that has this note. Return whether that was done."""
    command = [*SSH, "-T", "-oBatchMode=yes", "--", host.ssh, labctl_there(["signal", note, str(number)], {})]
    begin = partial(_begin, os.getpid())
    with suppress(OSError):
        nothing = subprocess.DEVNULL
        return not subprocess.run(command, stdin=nothing, stdout=nothing, stderr=nothing, preexec_fn=begin).returncode
    return False


def _begin(parent: int) -> None:
    os.setsid()  # what is sent to all of our group is not for this one
    on_terminal()
    die_with_parent(parent)
    signal.alarm(PATIENCE)  # alarm(2): it counts on in ssh


def _ends(process: subprocess.Popen[bytes]) -> bool:
    """Return whether a process ends by itself within a moment."""
    with suppress(subprocess.TimeoutExpired):
        process.wait(BY_ITSELF)
        return True
    return False
