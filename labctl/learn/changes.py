"""What is done to a lab that runs: by a lesson, to begin a step; by a fault; by a solution.

An edit changes the topology itself (RFC 7386) and is made real as `labctl up` of an edited file is: afterwards the lab
is as its file says. What is run in a namespace, and an impairment, is drift to `labctl status`.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Literal

from labctl.api.namespace import Namespace
from labctl.errors import LabError
from labctl.frozen import frozen

if TYPE_CHECKING:
    from labctl.api.lab import Lab
    from labctl.topology.model import Topology

LONGEST = 30.0
"""Seconds that a line of shell may take."""


@frozen
class Run:
    """A line of shell in a namespace, which must end with exit code 0."""

    namespace: str
    line: str


@frozen
class Start:
    """A line of shell in a namespace, which is not waited for."""

    namespace: str
    line: str


@frozen
class Impair:
    """What packets of a tunnel endpoint suffer, by the words of tc netem: {"loss": "10%"}; none takes all away."""

    device: str
    words: Mapping[str, str]
    direction: Literal["out", "in"] = "out"


@frozen
class Restart:
    """An engine or a program, NAMESPACE:NAME, that is ended and started again."""

    name: str


@frozen
class Edit:
    """A merge patch (RFC 7386) of the topology: mappings are merged, null removes a key, all else is replaced."""

    patch: Mapping[str, Any]


Action = Run | Start | Impair | Restart
"""What is done to a lab as it runs."""

Change = Action | Edit


class ChangeFailed(LabError):
    """A change of a lab was refused."""


def edited(topology: Topology, patches: Iterable[Mapping[str, Any]]) -> Topology:
    """Return a topology with patches, one after the other. Raise TopologyMistakes where the result is wrong."""
    from labctl.topology.model import Topology

    values: Any = topology.written()
    for patch in patches:
        values = merged(values, patch)
    return Topology(**values)


def merged(value: Any, patch: Any) -> Any:
    """Return a value with a merge patch (RFC 7386, section 2)."""
    if not isinstance(patch, Mapping):
        return patch
    found = dict(value) if isinstance(value, Mapping) else {}
    for key, below in patch.items():
        if below is None:
            found.pop(key, None)
        else:
            found[key] = merged(found.get(key), below)
    return found


def perform(lab: Lab, change: Action) -> None:
    """Do one thing to a lab. Raise LabError where it is refused.

    Names are those of its file, and so a namespace is not looked up before.
    """
    match change:
        case Run(namespace, line):
            done = Namespace(lab, namespace).run(["sh", "-c", line], timeout=LONGEST, env=_environment())
            if done.returncode:
                why = (done.stderr.strip() or f"exit code {done.returncode}").splitlines()[-1]
                raise ChangeFailed(f"{line!r} failed in {namespace}", why, "labctl status shows what is there")
        case Start(namespace, line):
            words = ["sh", "-c", f"({line}) </dev/null >/dev/null 2>&1 &"]
            Namespace(lab, namespace).run(words, check=True, timeout=LONGEST, env=_environment())
        case Impair(device, words, direction):
            lab.impair(device, direction=direction, reset=not words, **dict[str, Any](words))
        case Restart(name):
            lab.restart(name)


def _environment() -> dict[str, str]:
    """Return the environment of a line of shell: `ttun` and `labctl` are those of this installation."""
    programs = os.path.dirname(sys.executable)
    return {**os.environ, "PATH": f"{programs}:{os.environ.get('PATH', os.defpath)}"}
