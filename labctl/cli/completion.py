"""What the shell offers at the Tab key: topologies, labs, and the names inside a running lab.

Whatever fails here, nothing is offered: an error message in the middle of typing helps nobody.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import click
from click.shell_completion import CompletionItem

from labctl.cli.labs import own_labs, running_lab
from labctl.errors import LabError

if TYPE_CHECKING:
    from labctl.lab.contents import Contents


def topologies(context: click.Context, parameter: click.Parameter, typed: str) -> list[CompletionItem]:
    """Topologies that ship with labctl, and files."""
    from labctl.topology.shipped import names

    return [*_begun(names(), typed), CompletionItem(typed, type="file")]


def shipped(context: click.Context, parameter: click.Parameter, typed: str) -> list[CompletionItem]:
    """Topologies that ship with labctl."""
    from labctl.topology.shipped import names

    return _begun(names(), typed)


def labs(context: click.Context, parameter: click.Parameter, typed: str) -> list[CompletionItem]:
    """Running labs."""
    try:
        return _begun(own_labs(), typed)
    except (LabError, OSError):
        return []


def namespaces(context: click.Context, parameter: click.Parameter, typed: str) -> list[CompletionItem]:
    """Namespaces of the lab that `-l` names, or of the only one."""
    found = _inside(context)
    return _begun(found.namespaces, typed) if found else []


def devices(context: click.Context, parameter: click.Parameter, typed: str) -> list[CompletionItem]:
    """Its tunnel endpoints."""
    found = _inside(context)
    return _begun(found.devices, typed) if found else []


def checks(context: click.Context, parameter: click.Parameter, typed: str) -> list[CompletionItem]:
    """Its checks."""
    found = _inside(context)
    return _begun(found.checks, typed) if found else []


def _inside(context: click.Context) -> Contents | None:
    from labctl.lab.contents import contents

    try:
        where, lab = running_lab(context.params.get("lab"))
        return where.call(lambda: contents(lab))
    except (LabError, OSError):
        return None


def _begun(names: Iterable[str], typed: str) -> list[CompletionItem]:
    return [CompletionItem(name) for name in names if name.startswith(typed)]
