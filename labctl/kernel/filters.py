"""What filters the packets of a namespace beside its routes: nftables, IPsec, and the tables of legacy iptables."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from labctl.errors import kernel_words
from labctl.frozen import frozen
from labctl.kernel import xfrm
from labctl.kernel.nftables import tables as nftables
from labctl.plan.facts import Table
from labctl.plan.firewall import Listing

_LEGACY = ("iptables", "ip6tables", "arptables")


@frozen
class Filters:
    """What was found, and what could not be looked at, with the reason."""

    tables: tuple[Table, ...]
    listing: Listing
    xfrm: Mapping[str, int]
    unseen: Mapping[str, str]


def found() -> Filters:
    """Return the filters of this thread's namespace."""
    tables: tuple[Table, ...] = ()
    whole: Listing = {}
    counted: dict[str, int] = {}
    unseen = _legacy()
    try:
        tables = tuple(nftables.tables())
        whole = _listing() if tables else {}
    except OSError as error:
        unseen["nftables"] = kernel_words(error)
    try:
        counted = xfrm.counted()
    except OSError as error:
        unseen["IPsec"] = kernel_words(error)
    return Filters(tables, whole, counted, unseen)


def _listing() -> Listing:
    from labctl.kernel.nftables.listing import listing  # most labs have no table, and do without

    return listing()


def _legacy() -> dict[str, str]:
    """Return the programs of legacy iptables that have tables here, whose rules only they can read."""
    found = {}
    for program in _LEGACY:
        names = Path(f"/proc/thread-self/net/{program.removesuffix('tables')}_tables_names")
        with suppress(OSError):  # its driver is not there
            if tables := names.read_text().split():
                found[program] = f"it has the table {', '.join(tables)}, which {program}-save shows"
    return found
