"""What exec and trace make of a signal: one table, for one machine and for labs over hosts.

It is what their command makes of it, whose last words are read and whose exit code is labctl's.
"""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Callable
from typing import NamedTuple

_ENDS = """trap "trap '' TERM HUP INT; echo {}; exit {}" {}; """  # once: what is sent to a group may come twice
_HANDLES = (
    _ENDS.format("terminated", 7, "TERM")
    + _ENDS.format("hung up", 8, "HUP")
    + _ENDS.format("interrupted", 9, "INT")
    + "echo begun; while :; do sleep 0.05; done"
)
_GOES_ON = "trap 'trap : TERM; echo goes on' TERM; echo begun; until read line; do :; done; exit 5"


class Row(NamedTuple):
    """A script of sh that writes "begun", a signal, what is read after that, and the exit code."""

    script: str
    number: signal.Signals
    words: str
    code: int


ROWS = (
    Row(_HANDLES, signal.SIGTERM, "terminated\n", 7),
    Row(_HANDLES, signal.SIGHUP, "hung up\n", 8),
    Row(_GOES_ON, signal.SIGTERM, "goes on\n", 5),
    Row("echo begun; exec sleep 1000", signal.SIGHUP, "", 128 + signal.SIGHUP),
)

TYPED = Row(_HANDLES, signal.SIGINT, "interrupted\n", 9)
"""Of Ctrl-C, which reaches all of a group."""

Send = Callable[[subprocess.Popen[str], signal.Signals], object]


def signalled(start: Callable[..., subprocess.Popen[str]], send: Send, namespace: str, row: Row) -> dict[str, Row]:
    """Return what comes of a row by exec and by trace, once a signal was sent to labctl that has been started."""
    words = [namespace, "--", "sh", "-c", row.script]
    return {command: _ended(start, send, [command, *words], row) for command in ("exec", "trace")}


def _ended(start: Callable[..., subprocess.Popen[str]], send: Send, words: list[str], row: Row) -> Row:
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    with start(*words, **pipes) as labctl:
        assert labctl.stdin and labctl.stdout and labctl.stderr
        assert labctl.stdout.readline() == "begun\n"
        send(labctl, row.number)
        said = labctl.stdout.readline() if row.words else ""
        labctl.stdin.write("enough\n") if "read" in row.script else None
        labctl.stdin.close()
        told, failed = labctl.stdout.read(), labctl.stderr.read()
    assert told == ("0 packets\nno frames missed\n" if words[0] == "trace" else ""), told
    assert "labctl" not in failed and "Traceback" not in failed, failed
    return row._replace(words=said, code=labctl.returncode)
