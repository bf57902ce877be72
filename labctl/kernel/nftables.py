"""nftables over nfnetlink (linux/netfilter/nf_tables.h): which tables a namespace has, and how one is deleted.

labctl makes no table, so each one is another's. A change is a batch of messages (nfnetlink.h: NFNL_MSG_BATCH_BEGIN).
"""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Iterator

from labctl.kernel import rtnetlink as rt
from labctl.plan.facts import Table

_NETLINK_NETFILTER = 12
_NFGENMSG = struct.Struct("!BBH")  # family, version, res_id
_SUBSYSTEM = 10  # NFNL_SUBSYS_NFTABLES
_GETTABLE, _DELTABLE, _GETCHAIN, _GETRULE = (_SUBSYSTEM << 8 | message for message in (1, 2, 4, 7))
_BATCH_BEGIN, _BATCH_END = 0x10, 0x11
_TABLE, _NAME = 1, 1  # NFTA_CHAIN_TABLE and NFTA_RULE_TABLE; NFTA_TABLE_NAME

_FAMILIES = {1: "inet", 2: "ip", 3: "arp", 5: "netdev", 7: "bridge", 10: "ip6"}
"""NFPROTO_* in the words of nft(8)."""


def tables() -> Iterator[Table]:
    """Yield the tables of this thread's namespace. Raise OSError where the kernel cannot say."""
    netlink = rt.Rtnetlink(_NETLINK_NETFILTER)
    try:
        found = [_key(message, _NAME) for message in netlink.messages(_GETTABLE, _NFGENMSG.pack(0, 0, 0))]
        if not found:
            return
        chains, rules = (
            Counter(_key(message, _TABLE) for message in netlink.messages(kind, _NFGENMSG.pack(0, 0, 0)))
            for kind in (_GETCHAIN, _GETRULE)
        )
        for family, name in found:
            key = (family, name)
            yield Table(_FAMILIES.get(family, str(family)), name, chains[key], rules[key])
    finally:
        netlink.close()


def _key(message: bytes, kind: int) -> tuple[int, str]:
    """Return the family of what a message is about, and the name of its table."""
    name = rt.attributes(message[_NFGENMSG.size :])[kind]
    return message[0], name.rstrip(b"\0").decode(errors="replace")


def delete(family: str, name: str) -> None:
    """Delete a table of this thread's namespace, with all that is in it. Raise OSError."""
    number = next(number for number, word in _FAMILIES.items() if word == family)
    body = _NFGENMSG.pack(number, 0, 0) + rt.attribute(_NAME, name.encode() + b"\0")
    begin_or_end = _NFGENMSG.pack(0, 0, _SUBSYSTEM)
    netlink = rt.Rtnetlink(_NETLINK_NETFILTER)
    try:
        netlink.batch((_BATCH_BEGIN, begin_or_end), (_DELTABLE, body), (_BATCH_END, begin_or_end))
    finally:
        netlink.close()
