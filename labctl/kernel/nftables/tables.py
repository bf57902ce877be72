"""Which tables a namespace has, and how one is deleted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from labctl.kernel.nftables.messages import DELTABLE, GETCHAIN, GETRULE, GETTABLE, change, dump, nfnetlink, string, text
from labctl.plan.facts import Table

NAME, FLAGS = 1, 2  # NFTA_TABLE_*; the name is that of NFTA_CHAIN_TABLE and NFTA_RULE_TABLE, too
DORMANT, OWNED = 0x1, 0x2  # NFT_TABLE_F_*
OF_A_TRACE = "labctl-trace-"
"""How a table begins that is there while a diagnosis looks, and goes with the process whose PID is behind it."""


def tables() -> Iterator[Table]:
    """Yield the tables of this thread's namespace, without that of a trace. Raise OSError where the kernel refuses."""
    with nfnetlink() as netlink:
        found = [(family, text(told[NAME])) for family, told in dump(netlink, GETTABLE)]
        if not found:
            return
        chains, rules = (
            Counter((family, text(told[NAME])) for family, told in dump(netlink, kind)) for kind in (GETCHAIN, GETRULE)
        )
    for key in found:
        if not key[1].startswith(OF_A_TRACE):
            yield Table(*key, chains[key], rules[key])


def delete(family: str, name: str) -> None:
    """Delete a table of this thread's namespace, with all that is in it. Raise OSError."""
    with nfnetlink() as netlink:
        change(netlink, (DELTABLE, family, string(NAME, name)))
