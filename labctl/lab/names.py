"""The names inside a lab that a person types: a namespace, NS:DEVICE, NS:INTERFACE, NS:PROGRAM, a check.

In a lab that was named with `up --name` every namespace begins with the name of the lab and a dash (topology.rename),
and in its file none does. So wherever a name is typed, that prefix may be left out.

All of it is from the record of the lab, without a look at the kernel: completion has to be quick.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence

from labctl.errors import UsageError
from labctl.frozen import frozen
from labctl.hosts.record import PART, is_another
from labctl.lab.state import existing
from labctl.topology.unknown_names import no_such

NOTHING_RUNS = "no engine or program"
ANOTHER = "the lab of this name that runs there is another one, made since"


def meant(lab: str, typed: str, known: Collection[str]) -> str | None:
    """Return the known name that is meant, as typed or with the prefix of the lab; None where there is neither."""
    return next((name for name in (typed, f"{lab}-{typed}") if name in known), None)


def resolve(lab: str, typed: str, known: Collection[str], lacks: str) -> str:
    """Return the known name that is meant. Raise UsageError where there is none: the lab has `lacks` 'typed'."""
    name = meant(lab, typed, known)
    if name is None:
        raise unknown(lab, typed, known, lacks)
    return name


def unknown(lab: str, typed: str, known: Collection[str], lacks: str) -> UsageError:
    """Return the error for a name that a lab does not have."""
    return no_such(f"lab {lab} has {lacks} {typed!r}", typed, known)


def no_lab(lab: str, running: Collection[str]) -> UsageError:
    """Return the error for a lab that is not among those that run, or of which nothing is on this host any more."""
    if PART in os.environ:
        why = "it was ended there, or what runs there was killed, or the host has started anew"
        return UsageError(f"nothing is left there of lab {lab}", why, "labctl up FILE makes it again")
    hint = "labctl up FILE makes one, labctl list shows yours"
    return no_such(f"there is no lab named {lab}", lab, running, among="running", hint=hint)


def refuse_another(lab: str, mark: str) -> None:
    """Raise UsageError where a lab that runs here is not the part of one over hosts that is meant."""
    if is_another(os.environ.get(PART, ""), mark):
        hint = f"labctl down {lab} ends that one where it runs, labctl up FILE makes this one again"
        raise UsageError(f"nothing is left there of lab {lab}", ANOTHER, hint)


def chosen(lab: str, typed: Sequence[str], known: Collection[str], lacks: str) -> list[str]:
    """Return those of the known names that are meant, in their own order; all where none is typed.

    Raise UsageError as `resolve` does.
    """
    names = {resolve(lab, name, known, lacks) for name in typed}
    return [name for name in known if not typed or name in names]


@frozen
class Names:
    """The names of what is recorded of a lab; checks only where its `up` came to its end."""

    namespaces: tuple[str, ...]
    devices: tuple[str, ...]
    programs: tuple[str, ...]
    checks: tuple[str, ...]


def names(lab: str) -> Names:
    """Return the names inside a lab. Raise UsageError where there is no such lab."""
    state = existing(lab)
    recorded, topology = state.read(), state.topology()
    checks = topology.checks if topology else ()
    return Names(
        tuple(recorded.namespaces),
        tuple(map(str, (*recorded.engines, *recorded.cables))),
        tuple(map(str, recorded.programs)),
        tuple(check.name for check in checks),
    )


def namespaces_of(lab: str) -> tuple[str, ...]:
    """Return the namespaces of a lab by name. Raise UsageError where there is no such lab."""
    return tuple(existing(lab).read().namespaces)
