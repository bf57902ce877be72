"""Where the programs of a topology run: a path in a file begins at the directory of that file."""

from __future__ import annotations

import os
from pathlib import Path

from labctl.topology.model import Topology
from labctl.topology.source import STDIN


def anchored(topology: Topology, directory: str) -> Topology:
    """Return the topology with the directory of every program absolute, whoever reads it from where."""
    return topology.model_copy(
        update={
            "ttun": tuple(
                endpoint.model_copy(
                    update={
                        "engine": endpoint.engine.model_copy(
                            update={"directory": os.path.normpath(os.path.join(directory, endpoint.engine.directory))}
                        )
                    }
                )
                if endpoint.engine
                else endpoint
                for endpoint in topology.ttun
            )
        }
    )


def directory_of(file: Path) -> str:
    """Return where paths in a file begin: at its directory, or at the working one for what comes through a pipe."""
    try:
        return os.path.abspath(file.parent if file != STDIN and file.is_file() else "")
    except FileNotFoundError:  # the working directory has been deleted
        return "/"
