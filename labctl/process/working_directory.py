"""The working directory of a command, which its relative paths mean also inside other namespaces."""

from __future__ import annotations

import os


def here() -> str:
    """Return the working directory, / if it has been deleted."""
    try:
        return os.getcwd()
    except FileNotFoundError:
        return "/"


def return_to(directory: str) -> None:
    """Change to a directory after setns(2), which leads to /; stay in / if the directory is hidden there."""
    try:
        os.chdir(directory)
    except OSError:
        os.chdir("/")
