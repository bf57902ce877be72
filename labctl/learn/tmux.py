"""A lesson and a shell on one terminal, in two panes of a tmux of their own, which ends with the lesson.

Its socket and all else is in a directory of its own: another tmux of this user, and its configuration, have no part.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from labctl.errors import MachineError

WIDE = 150
"""Columns from which on the panes stand side by side."""

_CONFIGURATION = """\
set -g default-terminal screen-256color
set -g escape-time 20
set -g mouse on
set -g status-left-length 60
set -g status-left " F2 or a click: the other pane "
set -g status-right ""
set -g window-status-current-format ""
bind -n F2 if -F '#{==:#{window_panes},1}' { %(split)s } { select-pane -t :.+ }
"""

_NO_CTRL_Z = "stty susp '^-'"
"""In its pane there is no shell to which a lesson that is stopped could be brought back."""


def refuse_without_tmux() -> None:
    """Raise MachineError where there is no tmux."""
    if shutil.which("tmux") is None:
        hint = "apt install tmux; or leave --shell out, and type commands in a second terminal"
        raise MachineError("--shell needs tmux", "there is no such program in PATH", hint)


def beside_a_shell(words: Sequence[str], lab: str, say: str) -> tuple[int, str]:
    """Run `labctl` with these words in one pane, and a shell that says something first in the other.

    Commands of labctl in the shell mean the lab. Return the exit code of the first, and what it wrote as its errors.
    Raise MachineError where tmux does not begin it.
    """
    with tempfile.TemporaryDirectory(prefix="labctl-learn-") as made:
        directory = Path(made)
        errors, code, configuration = (directory / name for name in ("errors", "code", "tmux.conf"))
        tmux = ["tmux", "-S", str(directory / "socket"), "-f", str(configuration)]
        lesson = f"{_NO_CTRL_Z}; {shlex.join([sys.executable, '-m', 'labctl', *words])} 2>{shlex.quote(str(errors))}"
        ending = f"echo $? >{shlex.quote(str(code))}; {shlex.join([*tmux, 'kill-server'])}"
        shell = f"export LABCTL_LAB={shlex.quote(lab)}; echo {shlex.quote(say)}; exec {shlex.quote(_shell())}"
        direction = ["-h"] if shutil.get_terminal_size().columns >= WIDE else ["-v", "-l", "36%"]
        split = ["split-window", *direction, shell]
        configuration.write_text(_CONFIGURATION % {"split": shlex.join(split)})
        try:
            shown = subprocess.run(
                [*tmux, "new-session", f"{lesson}; {ending}", ";", *split, ";", "select-pane", "-t", ":.0"],
                env=_environment(),
                stderr=subprocess.PIPE,
                check=False,
            )
        finally:  # also where the student has detached from it
            subprocess.run([*tmux, "kill-server"], stderr=subprocess.DEVNULL, check=False)
        if not errors.exists():  # the lesson was not begun
            why = shown.stderr.decode(errors="replace").strip() or f"tmux has ended with exit code {shown.returncode}"
            hint = "try TERM=xterm-256color; or leave --shell out, and type commands in a second terminal"
            raise MachineError("tmux cannot show the lesson here", why, hint)
        found = code.read_text().strip() if code.exists() else ""
        return int(found or 0), errors.read_text(errors="replace")


def _shell() -> str:
    return os.environ.get("SHELL") or "/bin/sh"


def _environment() -> dict[str, str]:
    """Return our environment, in which the command labctl is this one if there is no other, and no tmux around."""
    environment = {name: value for name, value in os.environ.items() if name not in ("TMUX", "TMUX_PANE")}
    beside = os.path.dirname(os.path.abspath(sys.executable))
    if shutil.which("labctl") is None and os.access(os.path.join(beside, "labctl"), os.X_OK):
        environment["PATH"] = f"{environment.get('PATH', os.defpath)}:{beside}"
    return environment
