"""What the shell offers at the Tab key: topologies, labs, and the names inside a running lab.

Where anything fails, nothing is offered: an error message would stand in the middle of what is being typed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

import click
from click.shell_completion import CompletionItem

from labctl.cli.labs import lab_of, own_labs
from labctl.errors import LabError

if TYPE_CHECKING:
    from labctl.lab.names import Names


def topologies(context: click.Context, parameter: click.Parameter, typed: str) -> list[CompletionItem]:
    """Return topologies that ship with labctl, and have the shell add files."""
    from labctl.topology.shipped import names

    return [*_begun(names(), typed), CompletionItem(typed, type="file")]


def shipped(context: click.Context, parameter: click.Parameter, typed: str) -> list[CompletionItem]:
    """Return topologies that ship with labctl."""
    from labctl.topology.shipped import names

    return _begun(names(), typed)


def lessons(context: click.Context, parameter: click.Parameter, typed: str) -> list[CompletionItem]:
    """Return lessons that ship with labctl, and have the shell add folders."""
    from labctl.learn.lesson.shipped import folders

    return [*_begun(folders(), typed), CompletionItem(typed, type="dir")]


def labs(context: click.Context, parameter: click.Parameter, typed: str) -> list[CompletionItem]:
    """Return running labs."""
    try:
        return _begun(own_labs(), typed)
    except (LabError, OSError):
        return []


def namespaces(context: click.Context, parameter: click.Parameter, typed: str) -> list[CompletionItem]:
    """Return namespaces of the lab that is meant."""
    return _inside(context, parameter, typed, lambda names: names.namespaces)


def running(context: click.Context, parameter: click.Parameter, typed: str) -> list[CompletionItem]:
    """Return its tunnel endpoints and programs."""
    return _inside(context, parameter, typed, lambda names: (*names.devices, *names.programs))


def devices(context: click.Context, parameter: click.Parameter, typed: str) -> list[CompletionItem]:
    """Return its tunnel endpoints."""
    return _inside(context, parameter, typed, lambda names: names.devices)


def tapped(context: click.Context, parameter: click.Parameter, typed: str) -> list[CompletionItem]:
    """Return its namespaces and tunnel endpoints, whose packets can be captured."""
    return _inside(context, parameter, typed, lambda names: (*names.namespaces, *names.devices))


def checks(context: click.Context, parameter: click.Parameter, typed: str) -> list[CompletionItem]:
    """Return its checks."""
    return _inside(context, parameter, typed, lambda names: names.checks)


def traceable(context: click.Context, parameter: click.Parameter, typed: str) -> list[CompletionItem]:
    """Return its namespaces, whose programs can be traced, and its checks."""
    return _inside(context, parameter, typed, lambda names: (*names.namespaces, *names.checks))


def _inside(
    context: click.Context, parameter: click.Parameter, typed: str, of: Callable[[Names], Sequence[str]]
) -> list[CompletionItem]:
    """Return names of the lab that the words before mean, without the prefix of the lab if that is how they begin."""
    words = context.params.get(parameter.name or "") or ()
    try:
        own, _ = lab_of(words, context.params.get("lab"))
        known = of(own.names())
    except (LabError, click.ClickException, OSError):
        return []
    return _begun(known, typed) or _begun((name.removeprefix(f"{own.name}-") for name in known), typed)


def _begun(names: Iterable[str], typed: str) -> list[CompletionItem]:
    return [CompletionItem(name) for name in names if name.startswith(typed)]
