"""What a supervisor shows of its program, in a file that it writes anew at each change: JSON, for whoever looks."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

from labctl.frozen import frozen


@frozen
class RunRecord:
    """What has become of a program: how often it was started again, and how it ended the last time."""

    pid: int = 0  # of the program itself; 0 while it does not run
    restarts: int = 0
    ended: str = ""  # how, also while it runs again

    @classmethod
    def of(cls, path: Path) -> RunRecord:
        """Return what a file shows; nothing where it is not there, or damaged."""
        try:
            match json.loads(path.read_bytes()):
                case {"pid": int(pid), "restarts": int(restarts), "ended": str(ended)}:
                    return cls(pid, restarts, ended)
        except (OSError, ValueError):
            pass
        return cls()

    def write(self, path: Path) -> None:
        """Show it. A full disk is no reason to end a program."""
        temporary = path.with_name(f".{path.name}.new")
        with suppress(OSError):
            temporary.write_text(json.dumps(asdict(self)))
            temporary.rename(path)
