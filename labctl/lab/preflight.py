"""What would fail is found out before anything is made: a name that is taken, a ruleset that nft does not take.

What nft refuses is a mistake at its place in the file.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from labctl.errors import LabError, MachineError, UsageError
from labctl.kernel import namespaces
from labctl.plan.steps import AddNamespace, SetFirewall
from labctl.topology.mistakes import FileMistakes, Mistake
from labctl.topology.shipped import shorter
from labctl.topology.unknown_names import listed

if TYPE_CHECKING:
    from labctl.kernel.nftables.program import Complaint
    from labctl.kernel.nftables.trial import Ruleset
    from labctl.lab.journal import Recorded
    from labctl.plan.change import Change
    from labctl.topology.model import Topology


_NO_INTERFACE = "Interface does not exist"
"""What nft says of an interface that it is to look up by its name (iif, oif)."""


def check(changes: Iterable[Change], recorded: Recorded, topology: Topology, file: str) -> None:
    """Find out what would fail of the changes of a lab, where it lives. Raise as `check_rulesets` does.

    Raise UsageError where a namespace is to be made whose name is taken. A name is free, too, if it is a claim of this
    lab that has lost its mount, or of what an `up` that was cut off has left, which goes before.
    """
    for step, _ in changes:
        if not isinstance(step, AddNamespace) or not namespaces.taken(step.namespace):
            continue
        known = recorded.namespaces.get(step.namespace)
        if known is None or not (namespaces.is_claim(step.namespace) or namespaces.is_ours(step.namespace, known)):
            raise namespaces.name_taken(step.namespace)
    check_rulesets((step.namespace for step, _ in changes if isinstance(step, SetFirewall)), topology, file)


def check_rulesets(names: Iterable[str], topology: Topology, file: str) -> None:
    """Try the rulesets of some namespaces. Raise as `try_rulesets` does; `file` is empty where there is none."""
    from labctl.topology.load import text_of

    text = ""
    if file:
        with suppress(LabError):  # it is gone by now, or was a pipe
            text = text_of(Path(file))
    try_rulesets(names, topology, text, shorter(file))


def unseen(topology: Topology, text: str, filename: str) -> tuple[str, ...]:
    """Try all rulesets of a topology, which stands in this text. Return what could not be looked at, and why.

    Raise as `try_rulesets` does, but MachineError.
    """
    try:
        try_rulesets(topology.namespaces, topology, text, filename)
    except MachineError as error:
        asked = ", ".join(name for name, space in topology.namespaces.items() if space.nft)
        return (f"the rulesets (nft:) of {asked}: {error.why or error.what}",)
    return ()


def try_rulesets(names: Iterable[str], topology: Topology, text: str, filename: str) -> None:
    """Try the rulesets of some namespaces of a topology, which stands in this text.

    Raise FileMistakes where nft refuses one, UsageError where the text does not have it, MachineError where they cannot
    be tried.
    """
    spaces = {name: topology.namespaces[name] for name in names}
    asked = {name: space for name, space in spaces.items() if space.nft}
    if not asked:
        return
    from labctl.kernel.nftables.trial import Ruleset, tried

    rulesets = {name: Ruleset(space.nft or "", tuple(space.interfaces)) for name, space in asked.items()}
    refused = tried(rulesets)
    mistakes = tuple(sorted(set(_located(rulesets, refused, text, filename))))
    if mistakes:
        raise FileMistakes(mistakes)
    for name, complaints in refused.items():
        told = "; ".join(f"line {each.line}, column {each.column}: {each.words}" for each in complaints)
        raise UsageError(f"nft does not take the ruleset of {name}", told, "the lines are those of the ruleset")


def _located(
    rulesets: Mapping[str, Ruleset], refused: Mapping[str, Collection[Complaint]], text: str, filename: str
) -> Iterator[Mistake]:
    from labctl.topology.rulesets import At, Rulesets

    written = Rulesets(text)
    for name, complaints in refused.items():
        known = rulesets[name].interfaces
        for each in complaints:
            if at := written.position(rulesets[name].text, At(each.line, each.column)):
                hint = f"known here: {listed([*known])}" if each.words == _NO_INTERFACE else ""
                yield Mistake(filename, at.line + 1, at.column + 1, f"nft: {each.words}", hint, written.line_at(at))
