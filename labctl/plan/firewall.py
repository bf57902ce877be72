"""The firewall of a namespace: what a file asks for, and what the kernel was seen to have made of it.

A ruleset is text in the language of nft(8), which only that program reads. What it has become is read back over netlink
once it was loaded, and kept beside the text: from then on the two are compared with what the kernel has, and nothing
has to be parsed again. Of what changes by itself nothing is kept: handles, counters, the elements of dynamic sets.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import field
from itertools import zip_longest
from typing import Literal, NamedTuple, get_args

from labctl.frozen import frozen

MASQUERADE = "labctl-masquerade"
"""The table in which a namespace masquerades; its name is labctl's own."""

MOST_TOLD = 3
"""So many differences are told; what is more is counted."""


@frozen
class Firewall:
    """What a file asks for: a ruleset, interfaces that masquerade, and the IP versions for which they do."""

    nft: str = ""
    masquerade: tuple[str, ...] = ()
    versions: tuple[int, ...] = (4, 6)

    @property
    def words(self) -> str:
        """Return what is asked for, in the words of the file."""
        lines = len(self.nft.splitlines())
        ruleset = (f"nft ruleset of {lines} line{'s' * (lines != 1)}",) if self.nft else ()
        return ", ".join((*ruleset, *(f"masquerade {interface}" for interface in self.masquerade)))

    @property
    def text(self) -> str:
        """Return all of it in the language of nft(8), a line or more."""
        parts = (self.nft.rstrip("\n"), "\n".join(self._masquerade()))
        return "".join(f"{part}\n" for part in parts if part)

    def _masquerade(self) -> Iterator[str]:
        if not self.masquerade:
            return
        only = f"meta nfproto ipv{self.versions[0]} " if len(self.versions) == 1 else ""
        yield f"table inet {MASQUERADE} {{"
        yield "    chain postrouting {"
        yield "        type nat hook postrouting priority srcnat; policy accept;"
        for interface in self.masquerade:
            yield f'        {only}oifname "{interface}" masquerade'
        yield "    }"
        yield "}"


PartKind = Literal["table", "chain", "set", "map", "object", "flowtable"]
PART_KINDS: tuple[PartKind, ...] = get_args(PartKind)


class Part(NamedTuple):
    """A table, or what it has by name; the name of the table as a whole is empty."""

    family: str
    table: str
    kind: PartKind = "table"
    name: str = ""

    def __str__(self) -> str:
        return f"table {self.family} {self.table}" + (f", {self.kind} {self.name}" if self.name else "")


class Entry(NamedTuple):
    """What stands in a part, in the words of nft(8) as far as they are sure, and a digest that is always sure.

    The first entry of a part is what it says of itself: the hook of a chain, the type of a set.
    """

    words: str
    digest: str = ""


Listing = Mapping[Part, tuple[Entry, ...]]
"""What a namespace has of nftables: rules in their order, elements sorted."""


@frozen
class Applied:
    """A firewall that was made as a file asked for, and what the kernel had right after that."""

    asked: Firewall
    listing: Listing = field(default_factory=dict)

    @property
    def tables(self) -> frozenset[tuple[str, str]]:
        """Return the tables that were made, by family and name."""
        return frozenset((part.family, part.table) for part in self.listing)


def difference(wanted: Firewall, applied: Applied | None, found: Listing) -> str | None:
    """Return how what is found differs from what is wanted; None where it does not. Other tables are no part of it."""
    if applied is None:
        return "is not there"
    if applied.asked != wanted:
        return _edited(applied.asked, wanted)
    told = list(_differences(applied, found))
    more = len(told) - MOST_TOLD
    return "; ".join((*told[:MOST_TOLD], *((f"and {more} more",) if more > 0 else ()))) or None


def _edited(before: Firewall, wanted: Firewall) -> str:
    """Return how a file has changed, by the first line of a ruleset that is another one."""
    if before.nft and wanted.nft and before.nft != wanted.nft:
        lines = zip_longest(before.nft.splitlines(), wanted.nft.splitlines())
        return next(
            (
                f"line {number} of the ruleset " + ("is new" if old is None else f"was `{old.strip()}`")
                for number, (old, new) in enumerate(lines, 1)
                if old != new
            ),
            "its last line ends otherwise",
        )
    return f"is {before.words}" if before.words != wanted.words else "was made for other IP versions"


def _differences(applied: Applied, found: Listing) -> Iterator[str]:
    missing = applied.tables - {(part.family, part.table) for part in found}
    for family, table in sorted(missing):
        yield f"{Part(family, table)} is not there"
    for part, entries in applied.listing.items():
        if part in found:
            in_order = part.kind == "chain"
            yield from (f"{part}: {told}" for told in (_in_order if in_order else _as_sets)(entries, found[part]))
        elif (part.family, part.table) not in missing:
            yield f"{part} is not there"
    for part in found:
        if part not in applied.listing and (part.family, part.table) in applied.tables:
            yield f"{part} is not in the file"


def _in_order(wanted: tuple[Entry, ...], found: tuple[Entry, ...]) -> Iterator[str]:
    """Yield how the rules of a chain differ: the one where they begin to, if no more is sure."""
    if wanted[0] != found[0]:
        yield f"is `{found[0].words}`, not `{wanted[0].words}`"
    pairs = enumerate(zip_longest(wanted, found))
    at = next((at for at, (one, other) in pairs if at and one != other), None)
    if at is None:
        return
    if at == len(wanted) or wanted[at:] == found[at + 1 :]:
        yield f"rule {at} `{found[at].words}` is not in the file"
    elif at == len(found) or wanted[at + 1 :] == found[at:]:
        yield f"rule {at} `{wanted[at].words}` is not there"
    elif wanted[at].words == found[at].words:
        yield f"rule {at} `{wanted[at].words}` differs in what has no words here"
    else:
        yield f"rule {at} is `{found[at].words}`, not `{wanted[at].words}`"


def _as_sets(wanted: tuple[Entry, ...], found: tuple[Entry, ...]) -> Iterator[str]:
    if wanted[0].words != found[0].words:
        yield f"is `{found[0].words}`, not `{wanted[0].words}`"
    elif wanted[0] != found[0]:
        yield "its type, its flags or its limits are others"
    for entry in wanted[1:]:
        if entry not in found:
            yield f"{entry.words} is not there"
    for entry in found[1:]:
        if entry not in wanted:
            yield f"{entry.words} is not in the file"
