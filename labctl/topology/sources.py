"""The files that a topology names as sources: read once, with it, so that a lab has what was there when it was made."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator

from labctl.errors import kernel_words
from labctl.topology.model import File, Topology
from labctl.topology.paths import Path
from labctl.topology.rules.finding import Finding
from labctl.topology.source import MAX_BYTES


def with_contents(topology: Topology, directory: str) -> tuple[Topology, list[Finding]]:
    """Return the topology with the content of each source in its place, and a finding for each that cannot be read."""
    read, findings = {}, []
    for namespace, path, file in _sources(topology):
        assert file.source is not None
        try:
            read[namespace, path] = file.holding(_content(os.path.join(directory, file.source)))
        except _Unusable as unusable:
            at: Path = ("namespaces", namespace, "files", path, "source")
            findings.append(Finding(at, *unusable.args))
    if not read:
        return topology, findings
    spaces = {
        name: space.replace(files={path: read.get((name, path), file) for path, file in space.files.items()})
        for name, space in topology.namespaces.items()
    }
    return topology.replace(namespaces=spaces), findings


def _sources(topology: Topology) -> Iterator[tuple[str, str, File]]:
    for name, space in topology.namespaces.items():
        for path, file in space.files.items():
            if file.source is not None:
                yield name, path, file


class _Unusable(Exception):
    """A source that cannot be copied: what is wrong, and what would be right."""


def _content(path: str) -> bytes:
    """Return all that is in a plain file. Raise _Unusable."""
    try:
        # Without O_NONBLOCK the opening of a FIFO waits for a writer.
        with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
            found = os.fstat(file.fileno())
            if stat.S_ISDIR(found.st_mode):
                raise _Unusable(f"{path} is a directory", "name a file in it, each file by itself")
            if not stat.S_ISREG(found.st_mode):
                raise _Unusable(f"{path} is no regular file", "name one that can be copied")
            content = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise _Unusable(
            f"there is no file {path}", "it is looked for from the directory of the topology file"
        ) from None
    except OSError as error:
        raise _Unusable(f"{path} cannot be read: {kernel_words(error)}", "may you read it? try: ls -l") from None
    if len(content) > MAX_BYTES:
        raise _Unusable(
            f"{path} is larger than {MAX_BYTES:,} bytes", "a lab keeps its files in memory: use a smaller one"
        )
    return content
