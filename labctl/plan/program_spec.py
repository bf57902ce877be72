"""A program of a namespace as a value: what it is started with, and when it is ready.

Steps, facts and the journal carry it, as they carry that of an engine (engine_spec.py).
"""

from __future__ import annotations

import shlex
from collections.abc import Collection, Iterable, Iterator
from dataclasses import field
from typing import Literal

from labctl.frozen import frozen
from labctl.topology.program_ref import ProgramRef

RestartPolicy = Literal["never", "on-failure", "always"]
Sign = Literal["tcp", "udp", "log", "command"]


@frozen
class Readiness:
    """What is seen of a program once it is ready: a port, a line, or a command; and in how many seconds."""

    sign: Sign
    what: str
    within: float


@frozen
class ProgramSpec:
    """A program of a namespace, with all that it is started with."""

    ref: ProgramRef
    words: tuple[str, ...]
    cwd: str = ""
    env: tuple[tuple[str, str], ...] = ()
    user: str | None = None  # by name or number
    restart: RestartPolicy = "never"
    stop_signal: str = "TERM"
    ready: Readiness | None = field(default=None)
    after: tuple[ProgramRef, ...] = ()

    @property
    def command(self) -> str:
        """The command that starts the same from a shell."""
        return shlex.join(self.words)

    def changed(self, other: ProgramSpec) -> tuple[str, ...]:
        """Return the keys of the file for which this program, once it runs, has to be started again as the other one.

        When it is ready, and after which others it starts, is of its start alone.
        """
        keys = {"command": "words", "cwd": "cwd", "env": "env", "user": "user", "restart": "restart"}
        keys["stop_signal"] = "stop_signal"
        return tuple(key for key, name in keys.items() if getattr(self, name) != getattr(other, name))


def in_waves(specs: Collection[ProgramSpec]) -> Iterator[list[ProgramSpec]]:
    """Yield programs in groups, each of which starts after those before it; in a group they keep their order.

    Those that wait for one another come last: a file cannot say that, a damaged record can.
    """
    left = {spec.ref: spec for spec in specs}
    while left:
        wave = [spec for spec in left.values() if not _among(spec.after, left)]
        yield wave or [*left.values()]
        left = {ref: spec for ref, spec in left.items() if wave and spec not in wave}


def _among(refs: Iterable[ProgramRef], left: Collection[ProgramRef]) -> bool:
    return any(ref in left for ref in refs)
