"""The names inside a lab that a person may type: for completion, so without a look at the kernel."""

from __future__ import annotations

from dataclasses import dataclass

from labctl.lab.state import existing


@dataclass(frozen=True)
class Contents:
    """What is recorded of a lab, by name; checks only where its `up` came to its end."""

    namespaces: tuple[str, ...]
    devices: tuple[str, ...]
    checks: tuple[str, ...]


def namespaces_of(lab: str) -> tuple[str, ...]:
    """Return the namespaces of a lab by name. Raise UsageError where there is no such lab."""
    return tuple(existing(lab).read().namespaces)


def contents(lab: str) -> Contents:
    """The names inside a lab. Raises UsageError where there is no such lab."""
    state = existing(lab)
    recorded, topology = state.read(), state.topology()
    checks = topology.checks if topology else ()
    return Contents(tuple(recorded.namespaces), tuple(recorded.engines), tuple(check.name for check in checks))
