"""The error of a program, apart from what finds its words: the process that forks programs does not load that."""

from __future__ import annotations

from labctl.errors import UsageError


class ProgramFailed(UsageError):
    """A program of the file cannot be started, or does not become what the file says."""
