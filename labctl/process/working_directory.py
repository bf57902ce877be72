"""Where a command was called: the directory that its relative names mean, also from within other namespaces."""

from __future__ import annotations

import os


def here() -> str:
    """The working directory; / where it has been deleted."""
    try:
        return os.getcwd()
    except FileNotFoundError:
        return "/"


def return_to(directory: str) -> None:
    """setns(2) of a mount namespace leads to /; go back, unless the directory is hidden in there."""
    try:
        os.chdir(directory)
    except OSError:
        os.chdir("/")
