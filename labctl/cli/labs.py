"""Which lab is meant: by its file, by its name, by a namespace of it, or because there is only one."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING

import click

from labctl.errors import LabError, UsageError

if TYPE_CHECKING:
    from labctl.rootless.context import Context
    from labctl.topology.model import Topology

VARIABLE = "LABCTL_LAB"
"""The environment variable that names a lab, as in `labctl shell`."""


def topology_of(file: str, name: str | None = None) -> Topology:
    from labctl.topology.load import load
    from labctl.topology.rename import renamed
    from labctl.topology.shipped import find

    topology = load(find(file))
    return renamed(topology, name) if name is not None else topology


def file_of(file: str) -> str:
    """Return the absolute path of a topology file or a shipped topology, empty where it is no plain file."""
    from labctl.topology.shipped import find

    path = find(file)
    return str(path.resolve()) if path.is_file() else ""


def own_labs() -> dict[str, Context]:
    """Every lab of this user, with the place where it lives."""
    from labctl.lab.run_directory import recorded_labs
    from labctl.rootless.context import contexts

    return {
        name: context
        for context in contexts()
        for name in ([context.lab] if context.lab else context.call(recorded_labs))
    }


def running_lab(lab: str | None) -> tuple[Context, str]:
    """Return the lab that is meant, and its place. Raise UsageError where that is none or not clear."""
    context, name, _ = lab_of((), lab)
    return context, name


def lab_of(words: Sequence[str], lab: str | None) -> tuple[Context, str, tuple[str, ...]]:
    """Return the lab that is meant, its place, and the words that are left.

    It is the one of `-l LAB`, or the first word where that names a lab, or the one whose namespace the first word
    names, or the one of the environment, or the only one. Raise UsageError where that is none or not clear.
    """
    running, words = own_labs(), tuple(words)
    if lab is None and words and words[0] in running and not _has_namespace(running, words[0], words[0]):
        lab, words = words[0], words[1:]
    lab = lab or os.environ.get(VARIABLE) or _the_only_one(running, words)
    if lab is None:
        raise which_lab(running)
    if lab not in running:
        raise _unknown(lab, running)
    return running[lab], lab, words


def _the_only_one(running: dict[str, Context], words: Sequence[str]) -> str | None:
    """The only lab, or the only one that has the namespace of the first word."""
    able = list(running)
    if len(able) > 1 and words:
        space = words[0].partition(":")[0]
        able = [name for name in running if _has_namespace(running, name, space)]
    return able[0] if len(able) == 1 else None


def _has_namespace(running: dict[str, Context], lab: str, namespace: str) -> bool:
    from labctl.lab.contents import namespaces_of

    return namespace in running[lab].call(lambda: namespaces_of(lab))


def _unknown(lab: str, running: dict[str, Context]) -> UsageError:
    from labctl.rootless.context import refuse_elsewhere
    from labctl.topology.mistakes import nearest

    refuse_elsewhere(lab)
    near = nearest(lab, running)
    return UsageError(
        f"there is no lab named {lab}",
        f"running: {', '.join(running) or 'none'}",
        f"did you mean {near!r}?" if near else "labctl up FILE makes one, labctl list shows yours",
    )


def refuse_misspelled(lab: str, running: Mapping[str, Context]) -> None:
    """Raise UsageError for a lab of another user, and for one that never ran and has a name much like one that runs."""
    from labctl.lab.ended_labs import known
    from labctl.rootless.context import refuse_elsewhere
    from labctl.topology.mistakes import nearest

    refuse_elsewhere(lab)
    near = nearest(lab, running)
    if near and not any(lab in context.call(partial(known, name)) for name, context in running.items()):
        raise UsageError(f"there is no lab named {lab}", f"running: {', '.join(running)}", f"did you mean {near!r}?")


@contextmanager
def remembered(lab: str, context: Context, others: Mapping[str, Context]) -> Iterator[None]:
    """Have one of the others know, once a lab has ended in the body, of it and of all that it knew itself."""
    from labctl.lab.ended_labs import known, remember

    if not others:
        yield
        return
    before = context.call(partial(known, lab))
    yield
    other, where = next(iter(others.items()))
    with suppress(LabError, OSError):  # it may have ended meanwhile, and this one has ended well in any case
        where.call(partial(remember, other, (*before, lab)))


def the_one(words: Sequence[str], what: str, example: str) -> str:
    """Return the one word that is left. Raise click's UsageError where it is missing or has company."""
    if len(words) != 1:
        raise click.UsageError(f"{what} is needed, and nothing else, as in: {example}")
    return words[0]


def which_lab(running: dict[str, Context]) -> UsageError:
    if not running:
        return UsageError("no lab is running", "", "make one first, for example: labctl up two-site")
    return UsageError("several labs are running", ", ".join(running), "say which one with -l LAB")
