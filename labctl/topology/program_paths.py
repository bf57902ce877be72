"""Where the programs of a topology run: a path in a file begins at the directory of that file.

Where a lab is over several hosts, that directory is on one of them at most: on each, paths begin where ssh begins.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TypeVar

from labctl.topology.model import Check, Engine, Exec, ExecLine, Namespace, Program, Topology
from labctl.topology.source import STDIN

Runs = TypeVar("Runs", Engine, Exec, ExecLine, Program)


def anchored(topology: Topology, directory: str) -> Topology:
    """Return the topology with the directory of every program absolute, whoever reads it from where.

    One over several hosts is returned as it is: its parts are anchored on each of them.
    """
    if topology.hosts:
        return topology
    return topology.replace(
        namespaces={name: _with_programs(space, directory) for name, space in topology.namespaces.items()},
        ttun=tuple(
            endpoint.replace(engine=_at(endpoint.engine, "directory", directory)) if endpoint.engine else endpoint
            for endpoint in topology.ttun
        ),
        checks=tuple(_check(check, directory) for check in topology.checks),
    )


def _with_programs(space: Namespace, directory: str) -> Namespace:
    if not (space.programs or space.exec):
        return space
    return space.replace(
        programs=tuple(_at(program, "cwd", directory) for program in space.programs),
        exec=tuple(_at(line, "cwd", directory) for line in space.exec),
    )


def _at(program: Runs, key: str, directory: str) -> Runs:
    """Return a program whose directory, which this key of it names, is absolute."""
    return program.replace(**{key: os.path.normpath(os.path.join(directory, getattr(program, key)))})


def _check(check: Check, directory: str) -> Check:
    return check.asking(_at(check.exec, "cwd", directory)) if check.exec else check


def directory_of(file: Path) -> str:
    """Return where paths in a file begin: at its directory, or at the working one for what comes through a pipe."""
    try:
        return os.path.abspath(file.parent if file != STDIN and file.is_file() else "")
    except FileNotFoundError:  # the working directory has been deleted
        return "/"
