"""What filters the packets of a namespace beside its routes: nftables, IPsec, and the tables of legacy iptables."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from labctl.errors import kernel_words
from labctl.kernel import nftables, xfrm
from labctl.plan.facts import Table

_LEGACY = ("iptables", "ip6tables", "arptables")


@dataclass(frozen=True)
class Filters:
    """What was found, and what could not be looked at, with the reason."""

    tables: tuple[Table, ...]
    xfrm: Mapping[str, int]
    unseen: tuple[str, ...]


def found() -> Filters:
    """Return the filters of this thread's namespace."""
    tables: tuple[Table, ...] = ()
    counted: dict[str, int] = {}
    unseen = []
    try:
        tables = tuple(nftables.tables())
    except OSError as error:
        unseen.append(f"nftables ({kernel_words(error)})")
    try:
        counted = xfrm.counted()
    except OSError as error:
        unseen.append(f"IPsec ({kernel_words(error)})")
    return Filters(tables, counted, (*unseen, *_legacy()))


def _legacy() -> tuple[str, ...]:
    """Return the tables of legacy iptables, whose rules only its own program can read."""
    found = []
    for program in _LEGACY:
        with suppress(OSError):  # the module is not loaded
            names = Path(f"/proc/thread-self/net/{program.removesuffix('tables')}_tables_names").read_text().split()
            found += [f"{program} (it has the table {name})" for name in names]
    return tuple(found)
