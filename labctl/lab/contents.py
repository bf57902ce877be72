"""The names inside a lab that a person may type: for completion, so without a look at the kernel."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from labctl.errors import UsageError
from labctl.lab.state import existing
from labctl.topology.mistakes import nearest


@dataclass(frozen=True)
class Contents:
    """What is recorded of a lab, by name; checks only where its `up` came to its end."""

    namespaces: tuple[str, ...]
    devices: tuple[str, ...]
    checks: tuple[str, ...]


def namespaces_of(lab: str) -> tuple[str, ...]:
    """Return the namespaces of a lab by name. Raise UsageError where there is no such lab."""
    return tuple(existing(lab).read().namespaces)


def engines_named(lab: str, known: Collection[str], devices: Sequence[str]) -> list[str]:
    """Return those of the engines of a lab that are named, all where none is; as `known` has them in order.

    Of a lab that was named with --name the prefix may be left out. Raise UsageError for a device without an engine.
    """
    named = {device if device in known else f"{lab}-{device}": device for device in devices}
    for device, written in named.items():
        if device not in known:
            near = nearest(written, known)
            raise UsageError(
                f"lab {lab} has no engine on {written!r}",
                f"it has: {', '.join(known) or 'none'}",
                f"did you mean {near!r}?" if near else "",
            )
    return [device for device in known if not named or device in named]


def contents(lab: str) -> Contents:
    """The names inside a lab. Raises UsageError where there is no such lab."""
    state = existing(lab)
    recorded, topology = state.read(), state.topology()
    checks = topology.checks if topology else ()
    return Contents(tuple(recorded.namespaces), tuple(recorded.engines), tuple(check.name for check in checks))
