"""labctl as a person runs it, which loses a host in the middle: just before it asks a certain question."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from pathlib import Path
from typing import Any

from labctl.__main__ import main as labctl
from labctl.process.proc import fields_of_stat


def labctl_losing(host: str, owner: Any, name: str) -> None:
    """Be labctl, whose session on a host breaks off before it calls a function for the first time, by its owner."""
    asked = getattr(owner, name)

    def ask(*words: Any, **more: Any) -> Any:
        setattr(owner, name, asked)
        _break_off(host)
        return asked(*words, **more)

    setattr(owner, name, ask)
    labctl()


def _break_off(host: str) -> None:
    """Kill the ssh to a host that this process has started."""
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it has just ended
            words = (process / "cmdline").read_bytes().split(b"\0")
            parent = fields_of_stat(int(process.name))[1:2]
            if words[0] == b"ssh" and host.encode() in words and parent == [str(os.getpid())]:
                os.kill(int(process.name), signal.SIGKILL)
