"""labctl on a host as a command of ssh, on the streams of this process: for what a person sees and types there."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence

from labctl.errors import UsageError
from labctl.hosts.notes import NOTE, OF_SSH
from labctl.hosts.record import PART, Host
from labctl.process import terminal
from labctl.process.execve import why_not
from labctl.process.signals import KEYBOARD, be_deaf, block_signals, ignored, on_terminal
from labctl.process.syscalls import die_with_parent

Wait = Callable[["subprocess.Popen[bytes]"], int]
"""Waits for a program to end, and returns its exit code as Popen has it."""

ENDS_SSH = signal.SIGQUIT
"""What ends an ssh that does not hear TERMINATION; it leaves the terminal as it was."""

SSH = (
    "ssh",
    "-oConnectTimeout=10",
    "-oLogLevel=ERROR",
    "-oServerAliveInterval=5",
    "-oServerAliveCountMax=2",
)
"""ssh with the configuration of the user; it ends where the network is cut (ssh_config(5))."""

_THERE = (
    'PATH="$PATH:$HOME/.local/bin"; '
    f'command -v labctl >/dev/null || {{ echo "labctl: not found in $PATH" >&2; exit {OF_SSH}; }}; '
    'exec labctl "$@"'
)
"""Where pip and pipx put commands of a user is in the PATH of a shell, and not of a command of ssh."""


def labctl_there(words: Sequence[str], environment: Mapping[str, str]) -> str:
    """Return what ssh is to have a shell run for labctl with these words."""
    settings = [f"{name}={value}" for name, value in environment.items()]
    return shlex.join(["exec", "env", *settings, "sh", "-c", _THERE, "labctl", *words])


def environment_inside() -> dict[str, str]:
    """Return the environment of what runs in a lab here: another machine means this command alone by what it says."""
    said = {name: value for name, value in os.environ.items() if name != NOTE}
    return {**said, PART: ""} if PART in said else said


def run_there(
    host: Host,
    words: Sequence[str],
    note: str,
    wait: Wait = subprocess.Popen.wait,
    output: int | None = None,
    deaf: Sequence[signal.Signals] = (),
) -> int:
    """Run labctl on a host, for what of a lab is there. Where the streams of this process are a terminal, so are those.

    In the background of a terminal it reads nothing, as ssh would be stopped, whether its command reads or not.
    `output` is a descriptor for what it prints, other than our own standard output. Signals that ssh is deaf to are
    heard by this process, which `wait` is about. Return the exit code, that of ssh where the host is not reached: 255.
    What else ends with that is noted there.
    """
    behind = terminal.is_behind()
    has_terminal = output is None and not behind and sys.stdin.isatty() and sys.stdout.isatty()
    # What ssh leaves behind for logins to come is not to be deaf: it does not become a master (ssh_config(5)).
    options = ["-t" if has_terminal else "-T", *["-n"] * behind, *["-oControlMaster=no"] * bool(deaf)]
    command = [*SSH, *options, "--", host.ssh, labctl_there(words, {PART: host.mark, NOTE: note})]
    here = os.getpid()

    def begin() -> None:
        die_with_parent(here, ENDS_SSH if deaf else signal.SIGTERM)  # and the command there with ssh (session_end.py)
        on_terminal()
        be_deaf(deaf)

    try:
        # The keyboard is for the program there, by ssh or by `wait`. See lab/execute.py about the other signals.
        with ignored(*(number for number in KEYBOARD if number not in deaf)), block_signals() as unblock:
            process = subprocess.Popen(command, preexec_fn=begin, stdout=output)
            unblock()
            code = wait(process)
    except OSError as error:
        raise UsageError("ssh cannot be run", *why_not("ssh", error)) from None
    return code if code >= 0 else 128 - code
