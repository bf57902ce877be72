"""All that a namespace has of nftables, as what can be compared with another look at it."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterator, Mapping

from labctl.kernel import rtnetlink as rt
from labctl.kernel.nftables import digests
from labctl.kernel.nftables.messages import (
    FAMILY_NUMBERS,
    GETFLOWTABLE,
    GETOBJ,
    GETSET,
    GETSETELEM,
    GETTABLE,
    NFGENMSG,
    dump,
    elements,
    nfnetlink,
    number,
    string,
    text,
)
from labctl.kernel.nftables.ruleset import Chain, chains
from labctl.kernel.nftables.tables import DORMANT, FLAGS, NAME, OF_A_TRACE
from labctl.plan.firewall import Entry, Listing, Part

_OF_TABLE, _OWN_NAME = 1, 2  # NFTA_SET_*, NFTA_OBJ_*, NFTA_FLOWTABLE_*
_SET_FLAGS, _KEY_TYPE = 3, 4  # NFTA_SET_*
_ANONYMOUS, _MAP, _TIMEOUT, _DYNAMIC = 0x1, 0x8, 0x10, 0x20  # NFT_SET_*
_OF_SET = (3, 4, 5, 6, 7, 11, 15)  # NFTA_SET_: flags, types and lengths of key and data, timeout, kind of objects
_LIST_TABLE, _LIST_SET, _LIST_ELEMENTS = 1, 2, 3  # NFTA_SET_ELEM_LIST_*
_KEY, _ELEMENT_FLAGS, _KEY_END = 1, 3, 10  # NFTA_SET_ELEM_*
_OF_ELEMENT = (1, 2, 3, 9, 10)  # NFTA_SET_ELEM_: key, data, flags, the object that it refers to, the end of the key
_INTERVAL_END, _CATCHALL = 0x1, 0x2  # NFT_SET_ELEM_*
_VALUE = 1  # NFTA_DATA_VALUE
_OBJECT_TYPE, _OBJECT_DATA = 3, 4  # NFTA_OBJ_*
_OBJECTS = {
    1: "counter", 2: "quota", 3: "ct helper", 4: "limit", 5: "connlimit", 6: "tunnel", 7: "ct timeout", 8: "secmark",
    9: "ct expectation", 10: "synproxy",
}  # fmt: skip
_QUOTA_BYTES, _QUOTA_FLAGS = 1, 2  # NFTA_QUOTA_*
_HOOK, _FLOWTABLE_FLAGS = 3, 7  # NFTA_FLOWTABLE_*
_SHOWN: dict[int, Callable[[bytes], str]] = {
    7: lambda key: str(ipaddress.IPv4Address(key)),
    8: lambda key: str(ipaddress.IPv6Address(key)),
    9: lambda key: key.hex(":"),
    13: lambda key: str(int.from_bytes(key)),
}
"""How a key is written, by the number that nft(8) has for its type (enum datatypes): addresses, MACs, ports."""


def listing() -> Listing:
    """Return what this thread's namespace has, without the tables of a trace. Raise OSError where the kernel refuses.

    Elements of a set that is dynamic, or that has a timeout, are left out: they come and go.
    """
    found: dict[Part, tuple[Entry, ...]] = {}
    with nfnetlink() as netlink:
        for family, told in list(dump(netlink, GETTABLE)):
            if not text(told[NAME]).startswith(OF_A_TRACE):
                dormant = number(told.get(FLAGS, b"\0")) & DORMANT
                found[Part(family, text(told[NAME]))] = (Entry("dormant" if dormant else "active"),)
        if not found:
            return {}
        tables = {(part.family, part.table) for part in found}
        for part, entries in (*_sets(netlink), *_objects(netlink), *_flowtables(netlink)):
            if (part.family, part.table) in tables:
                found[part] = entries
    for chain in chains():
        rules = (Entry(rule.words, rule.digest) for rule in chain.rules)
        found[Part(chain.family, chain.table, "chain", chain.name)] = (Entry(_head(chain)), *rules)
    return found


def _head(chain: Chain) -> str:
    """Return what nft(8) shows of a chain before its rules."""
    if not chain.hook:
        return "no hook"
    devices = "".join(f" device {device}" for device in chain.devices)
    policy = f" policy {chain.policy};" if chain.policy else ""
    return f"type {chain.type} hook {chain.hook}{devices} priority {chain.priority};{policy}"


def _sets(netlink: rt.Rtnetlink) -> Iterator[tuple[Part, tuple[Entry, ...]]]:
    for family, told in list(dump(netlink, GETSET)):
        flags = number(told.get(_SET_FLAGS, b"\0"))
        if flags & _ANONYMOUS:
            continue  # it is a part of a rule
        table, name = text(told[_OF_TABLE]), text(told[_OWN_NAME])
        kind = number(told.get(_KEY_TYPE, b"\0"))
        inside = () if flags & (_TIMEOUT | _DYNAMIC) else sorted(_elements(netlink, family, table, name, kind))
        part = Part(family, table, "map" if flags & _MAP else "set", name)
        words = "without elements" if flags & (_TIMEOUT | _DYNAMIC) else "of elements"
        yield part, (Entry(words, digests.of_attributes(told, _OF_SET)), *inside)


def _elements(netlink: rt.Rtnetlink, family: str, table: str, name: str, kind: int) -> Iterator[Entry]:
    body = NFGENMSG.pack(FAMILY_NUMBERS[family], 0, 0) + string(_LIST_TABLE, table) + string(_LIST_SET, name)
    for message in netlink.messages(GETSETELEM, body):
        listed = rt.attributes(message[NFGENMSG.size :]).get(_LIST_ELEMENTS, b"")
        for element in elements(listed):
            told = rt.attributes(element)
            yield Entry(_shown(told, kind), digests.of_attributes(told, _OF_ELEMENT))


def _shown(told: Mapping[int, bytes], kind: int) -> str:
    flags = number(told.get(_ELEMENT_FLAGS, b"\0"))
    if flags & _CATCHALL:
        return "element *"
    key, end = (rt.attributes(told.get(each, b"")).get(_VALUE, b"") for each in (_KEY, _KEY_END))
    try:
        words = "-".join(_SHOWN[kind](each) for each in (key, end) if each)
    except (KeyError, ValueError):  # of a type without sure words here
        words = "-".join(f"0x{each.hex()}" for each in (key, end) if each)
    return f"end of elements {words}" if flags & _INTERVAL_END else f"element {words}"


def _objects(netlink: rt.Rtnetlink) -> Iterator[tuple[Part, tuple[Entry, ...]]]:
    for family, told in list(dump(netlink, GETOBJ)):
        kind = number(told[_OBJECT_TYPE])
        word = _OBJECTS.get(kind, f"object of type {kind}")
        data = {} if word == "counter" else rt.attributes(told.get(_OBJECT_DATA, b""))
        kinds = (_QUOTA_BYTES, _QUOTA_FLAGS) if word == "quota" else sorted(data)
        part = Part(family, text(told[_OF_TABLE]), "object", text(told[_OWN_NAME]))
        yield part, (Entry(word, digests.of_attributes(data, kinds)),)


def _flowtables(netlink: rt.Rtnetlink) -> Iterator[tuple[Part, tuple[Entry, ...]]]:
    try:
        found = list(dump(netlink, GETFLOWTABLE))
    except OSError:  # this kernel has none
        return
    for family, told in found:
        part = Part(family, text(told[_OF_TABLE]), "flowtable", text(told[_OWN_NAME]))
        yield part, (Entry("flowtable", digests.of_attributes(told, (_HOOK, _FLOWTABLE_FLAGS))),)
