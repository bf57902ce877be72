"""Calls of a person at a terminal: what runs in a namespace has the standard streams of this command."""

from __future__ import annotations

from collections.abc import Sequence

from labctl.api.work import terminal as work
from labctl.hosts.record import recorded


def execute(lab: str, namespace: str, command: Sequence[str]) -> int:
    """Run a command that a person has typed. Return its exit code."""
    if record := recorded(lab):
        from labctl.api.over_hosts.there import execute

        return execute(record, namespace, command)
    return work.execute(lab, namespace, command)


def shell(lab: str, namespace: str) -> int:
    """Open a shell. Return its exit code."""
    if record := recorded(lab):
        from labctl.api.over_hosts.there import labctl

        return labctl(record, namespace, ["shell", namespace])
    return work.shell(lab, namespace)
