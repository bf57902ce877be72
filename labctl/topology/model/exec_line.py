"""The lines of shell that run once in a namespace, when the lab is made."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from labctl.topology.model.base import Model, key

if TYPE_CHECKING:
    from labctl.topology.fields import Directory, Seconds, ShellLine, Whole


class ExecLine(Model, called="an exec line"):
    """A line of shell that runs once, when the lab is made."""

    command: ShellLine = key(
        description="What runs, as `sh -c` takes it.", examples=["ip link set eth0 txqueuelen 100"]
    )
    exit: Whole = key(default=0, ge=0, le=255, description="The exit code that it must have.")
    within: Seconds = key(default=30.0, gt=0, le=3600, description="Seconds after which it is ended, and `up` fails.")
    cwd: Directory = key(
        default="", description="Where it runs, seen from the directory of the file; that where absent."
    )

    ALSO: ClassVar[Any] = str

    @classmethod
    def in_full(cls, written: Any) -> Any:
        """Return what an exec line is of which only the command is written."""
        return {"command": written} if isinstance(written, str) else written
