"""How nfnetlink speaks of nftables (linux/netfilter/nf_tables.h, linux/netfilter/nfnetlink.h).

Numbers are in network byte order, unlike those of rtnetlink. A change is a batch of messages between two frames, of
which the kernel takes all or none.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import contextmanager

from labctl.kernel import rtnetlink as rt

NETLINK_NETFILTER = 12
NFGENMSG = struct.Struct("!BBH")  # family, version, res_id
SUBSYSTEM = 10  # NFNL_SUBSYS_NFTABLES
_BATCH_BEGIN, _BATCH_END = 0x10, 0x11
_NESTED = 0x8000  # linux/netlink.h: NLA_F_NESTED

NEWTABLE, GETTABLE, DELTABLE = SUBSYSTEM << 8 | 0, SUBSYSTEM << 8 | 1, SUBSYSTEM << 8 | 2  # NFT_MSG_*
NEWCHAIN, GETCHAIN = SUBSYSTEM << 8 | 3, SUBSYSTEM << 8 | 4
NEWRULE, GETRULE = SUBSYSTEM << 8 | 6, SUBSYSTEM << 8 | 7
GETSET, GETSETELEM, TRACE = SUBSYSTEM << 8 | 10, SUBSYSTEM << 8 | 13, SUBSYSTEM << 8 | 17
GETOBJ, GETFLOWTABLE = SUBSYSTEM << 8 | 19, SUBSYSTEM << 8 | 23

FAMILIES = {1: "inet", 2: "ip", 3: "arp", 5: "netdev", 7: "bridge", 10: "ip6"}
"""NFPROTO_* in the words of nft(8)."""

FAMILY_NUMBERS = {word: number for number, word in FAMILIES.items()}


@contextmanager
def nfnetlink() -> Iterator[rt.Rtnetlink]:
    """A socket of this thread's namespace. Raise OSError where the kernel has no netfilter."""
    netlink = rt.Rtnetlink(NETLINK_NETFILTER)
    try:
        yield netlink
    finally:
        netlink.close()


def dump(
    netlink: rt.Rtnetlink, kind: int, family: int = 0, wanted: bytes = b""
) -> Iterator[tuple[str, dict[int, bytes]]]:
    """Yield each thing of a kind with its family and its attributes. Raise OSError where the kernel cannot say."""
    for message in netlink.messages(kind, NFGENMSG.pack(family, 0, 0) + wanted):
        yield FAMILIES.get(message[0], str(message[0])), rt.attributes(message[NFGENMSG.size :])


def change(netlink: rt.Rtnetlink, *requests: tuple[int, str, bytes], flags: int = 0) -> None:
    """Have the kernel do all of these, or none: each the kind of a message, a family and attributes. Raise Refused."""
    frame = NFGENMSG.pack(0, 0, SUBSYSTEM)
    messages = ((kind, NFGENMSG.pack(FAMILY_NUMBERS[family], 0, 0) + body, flags) for kind, family, body in requests)
    netlink.batch((_BATCH_BEGIN, frame, 0), *messages, (_BATCH_END, frame, 0))


def text(value: bytes) -> str:
    return value.rstrip(b"\0").decode(errors="replace")


def number(value: bytes) -> int:
    """Return a number of any size, without a sign."""
    return int.from_bytes(value)


def string(kind: int, value: str) -> bytes:
    return rt.attribute(kind, value.encode() + b"\0")


def u32(kind: int, value: int) -> bytes:
    return rt.attribute(kind, struct.pack("!I", value & 0xFFFFFFFF))


def nested(kind: int, *values: bytes) -> bytes:
    return rt.attribute(kind | _NESTED, b"".join(values))


def elements(value: bytes) -> Iterator[bytes]:
    """Yield the elements of a list (NFTA_LIST_ELEM), which all have one kind."""
    offset = 0
    while offset + 4 <= len(value):
        (length,) = struct.unpack_from("=H", value, offset)
        if length < 4:
            return
        yield value[offset + 4 : offset + length]
        offset += (length + 3) & ~3
