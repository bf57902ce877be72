"""Which lab is meant: by its file, by its name, by a namespace of it, or because there is only one."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from labctl.errors import UsageError

if TYPE_CHECKING:
    from labctl.cli.own_lab import OwnLab

VARIABLE = "LABCTL_LAB"
"""The environment variable that names a lab, as in `labctl shell`."""


def own_labs() -> tuple[str, ...]:
    """Return every lab of this user."""
    from labctl.api.caller import Caller
    from labctl.api.calls.inspect import running

    return running(Caller())


def running_lab(lab: str | None) -> OwnLab:
    """Return the lab that is meant. Raise UsageError where that is none or not clear."""
    return lab_of((), lab)[0]


def lab_of(words: Sequence[str], lab: str | None) -> tuple[OwnLab, tuple[str, ...]]:
    """Return the lab that is meant, and the words that are left.

    It is the one of `-l LAB`, or the first word where that names a lab, or the one whose namespace the first word
    names, or the one of the environment, or the only one. Raise UsageError where that is none or not clear, click's
    NoSuchOption where the first word that is left is an option: no name begins with a dash.
    """
    from labctl.cli.own_lab import OwnLab

    running, words = own_labs(), tuple(words)
    if lab is None and words and words[0] in running and words[0] not in _namespaces(words[0]):
        lab, words = words[0], words[1:]
    lab = lab or os.environ.get(VARIABLE) or _the_only_one(running, words)
    if lab is None:
        raise which_lab(running)
    if lab not in running:
        raise _unknown(lab, running)
    if words and words[0].startswith("-"):
        raise click.NoSuchOption(words[0])
    return OwnLab.known(lab), words


def _the_only_one(running: Sequence[str], words: Sequence[str]) -> str | None:
    """Return the only lab, or the only one with the namespace of the first word, by its very name or without prefix."""
    if len(running) > 1 and words:
        from labctl.lab.names import meant
        from labctl.topology.interface_ref import InterfaceRef

        space = InterfaceRef.typed(words[0]).namespace
        found = {lab: meant(lab, space, _namespaces(lab)) for lab in running}
        able = [lab for lab, name in found.items() if name == space] or [lab for lab, name in found.items() if name]
    else:
        able = list(running)
    return able[0] if len(able) == 1 else None


def _namespaces(lab: str) -> tuple[str, ...]:
    from labctl.api.caller import Caller
    from labctl.api.calls.inspect import namespaces

    return namespaces(lab, Caller())


def _unknown(lab: str, running: Sequence[str]) -> UsageError:
    from labctl.lab.names import no_lab
    from labctl.rootless.context import refuse_elsewhere

    refuse_elsewhere(lab)
    return no_lab(lab, running)


def the_one(words: Sequence[str], what: str, example: str) -> str:
    """Return the one word that is left. Raise click's UsageError where it is missing or not alone."""
    if len(words) != 1:
        raise click.UsageError(f"{what} is needed, and nothing else, as in: {example}")
    return words[0]


def which_lab(running: Sequence[str]) -> UsageError:
    """Return the error for a command line that leaves open which of the running labs is meant."""
    if not running:
        return UsageError("no lab is running", "", "make one first, for example: labctl up two-site")
    return UsageError("several labs are running", ", ".join(running), "say which one with -l LAB")
