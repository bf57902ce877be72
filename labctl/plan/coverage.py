"""What is observed of a lab, and what is not: a plan without steps says what it covers."""

from __future__ import annotations

from labctl.frozen import frozen
from labctl.plan.facts import Facts

_ALWAYS = (
    "namespaces",
    "interfaces",
    "addresses",
    "routes",
    "rules",
    "neighbours",
    "bridge ports",
    "qdiscs",
    "nftables",
    "IPsec",
    "files of namespaces",
    "names",
    "settings that decide about packets",
    "engines",
    "programs",
)
_NEVER = ("BPF programs but XDP", "ethtool features", "connection tracking", "other settings", "other processes")


@frozen
class Coverage:
    """The kinds of things that were looked at, and those that were not, with the reason where it is this kernel's."""

    looked_at: tuple[str, ...]
    not_looked_at: tuple[str, ...]


def coverage(facts: Facts) -> Coverage:
    """Return what was looked at to find these facts."""
    places: dict[tuple[str, str], list[str]] = {}
    for name, space in facts.namespaces.items():
        for what, why in space.unseen.items():
            places.setdefault((what, why), []).append(name)
    unseen = {what for what, _ in places}
    told = tuple(
        f"{what}{'' if len(names) == len(facts.namespaces) else ' in ' + ', '.join(names)} ({why})"
        for (what, why), names in places.items()
    )
    return Coverage(tuple(what for what in _ALWAYS if what not in unseen), (*told, *_NEVER))
