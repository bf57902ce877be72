"""What /proc says of a process (proc(5)). The name of a process may hold any bytes, half a character too."""

from __future__ import annotations

from pathlib import Path


def fields_of_stat(pid: int) -> list[str]:
    """Return the fields of /proc/PID/stat from the state on, of a thread, too; none if there is none. Raise OSError."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return []
    return stat[stat.rindex(")") + 2 :].split()  # the name in parentheses may hold parentheses


def status_field(name: str, pid: int | str = "self") -> str | None:
    """Return a field of /proc/PID/status, None where this kernel has no such field. Raise OSError."""
    for line in Path(f"/proc/{pid}/status").read_text(errors="replace").splitlines():
        if line.startswith(f"{name}:"):
            return line.split()[1]
    return None
