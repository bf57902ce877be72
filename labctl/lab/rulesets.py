"""The rulesets of a file are tried before anything is made: what nft refuses is a mistake at its place in the file."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from labctl.errors import LabError, MachineError, UsageError
from labctl.process import working_directory
from labctl.topology.mistakes import FileMistakes, Mistake
from labctl.topology.model import Topology
from labctl.topology.unknown_names import listed

if TYPE_CHECKING:
    from labctl.kernel.nftables.program import Complaint


_NO_INTERFACE = "Interface does not exist"
"""What nft says of an interface that it is to look up by its name (iif, oif)."""


def check(topology: Topology, namespaces: Collection[str], file: str) -> None:
    """Try the rulesets of some namespaces. Raise as `check_text` does; `file` is empty where there is none."""
    from labctl.topology.load import text_of

    text = ""
    if file:
        with suppress(LabError):  # it is gone by now, or was a pipe
            text = text_of(Path(file))
    shown = min(file, os.path.relpath(file, working_directory.here()), key=len) if file else ""
    check_text(topology, namespaces, text, shown)


def unseen(topology: Topology, text: str, filename: str) -> tuple[str, ...]:
    """Try all rulesets of a topology, which stands in this text. Return what could not be looked at, and why.

    Raise as `check_text` does, but MachineError.
    """
    try:
        check_text(topology, topology.namespaces, text, filename)
    except MachineError as error:
        asked = ", ".join(name for name, space in topology.namespaces.items() if space.nft)
        return (f"the rulesets (nft:) of {asked}: {error.why or error.what}",)
    return ()


def check_text(topology: Topology, namespaces: Collection[str], text: str, filename: str) -> None:
    """Try the rulesets of some namespaces of a topology, which stands in this text.

    Raise FileMistakes where nft refuses one, UsageError where the text does not have it, MachineError where they cannot
    be tried.
    """
    asked = {name: space for name, space in topology.namespaces.items() if space.nft and name in namespaces}
    if not asked:
        return
    from labctl.kernel.nftables.trial import Ruleset, tried

    refused = tried({name: Ruleset(space.nft or "", tuple(space.interfaces)) for name, space in asked.items()})
    found = {name: (asked[name].nft or "", complaints) for name, complaints in refused.items()}
    interfaces = {name: space.interfaces for name, space in asked.items()}
    mistakes = tuple(sorted(set(_located(found, interfaces, text, filename))))
    if mistakes:
        raise FileMistakes(mistakes)
    for name, (_, complaints) in found.items():
        told = "; ".join(f"line {each.line}, column {each.column}: {each.words}" for each in complaints)
        raise UsageError(f"nft does not take the ruleset of {name}", told, "the lines are those of the ruleset")


def _located(
    found: Mapping[str, tuple[str, tuple[Complaint, ...]]],
    interfaces: Mapping[str, Collection[str]],
    text: str,
    filename: str,
) -> Iterator[Mistake]:
    from labctl.topology.rulesets import At, Rulesets

    rulesets = Rulesets(text)
    for name, (ruleset, complaints) in found.items():
        for each in complaints:
            if at := rulesets.position(ruleset, At(each.line, each.column)):
                hint = f"known here: {listed([*interfaces[name]])}" if each.words == _NO_INTERFACE else ""
                yield Mistake(filename, at.line + 1, at.column + 1, f"nft: {each.words}", hint, rulesets.line_at(at))
