"""Rules of the routing policy over rtnetlink (linux/fib_rules.h, net/core/fib_rules.c).

As a route is, a rule is read whole and deleted by the message that tells of it.
"""

from __future__ import annotations

import errno
import ipaddress
import socket
import struct
from collections.abc import Iterator, Mapping
from enum import IntEnum

from labctl.kernel import rtnetlink as rt
from labctl.kernel.routes import RTPROT_KERNEL, RTPROT_STATIC, TABLE_NAMES
from labctl.plan.routes import DEFAULT_RULES, Rule
from labctl.topology.iproute import IP_PROTOCOLS, TABLES

_HEADER = struct.Struct("=5BxxBI")  # family, dst_len, src_len, tos, table, action, flags
_FIB_RULE_INVERT = 2
_WHOLE = 0xFFFFFFFF  # a mask of all bits, and -1 where nothing is suppressed

_WHOLE_PORT = b"\xff\xff"  # the mask of a port: since Linux 6.15 it is told, and may be less

_FAMILIES = {"inet": socket.AF_INET, "inet6": socket.AF_INET6}
_ACTIONS = {1: "lookup", 2: "goto", 3: "nop", 6: "blackhole", 7: "unreachable", 8: "prohibit"}
_ACTION_NUMBERS = {name: number for number, name in _ACTIONS.items()}
_PROTOCOL_NAMES = {number: name for name, number in IP_PROTOCOLS.items()}
_LOOKUP = "lookup"


class _Fra(IntEnum):
    """The attributes of a rule that have words."""

    DST = 1
    SRC = 2
    IIFNAME = 3
    GOTO = 4
    PRIORITY = 6
    FWMARK = 10
    FLOW = 11
    TUN_ID = 12
    SUPPRESS_IFGROUP = 13
    SUPPRESS_PREFIXLEN = 14
    TABLE = 15
    FWMASK = 16
    OIFNAME = 17
    PAD = 18
    L3MDEV = 19
    UID_RANGE = 20
    PROTOCOL = 21
    IP_PROTO = 22
    SPORT_RANGE = 23
    DPORT_RANGE = 24
    SPORT_MASK = 28
    DPORT_MASK = 29


_UNDERSTOOD = frozenset(_Fra)


def rules(netlink: rt.Rtnetlink) -> dict[int, tuple[Rule, ...]]:
    """Return the rules of a namespace by IP version; a version is left out where this kernel has no rules for it."""
    found = {}
    for version, family in ((4, "inet"), (6, "inet6")):
        try:
            found[version] = tuple(rule for rule, _ in _seen(netlink, family))
        except rt.Refused as error:
            if error.errno not in (errno.EAFNOSUPPORT, errno.EOPNOTSUPP):
                raise
    return found


def add(netlink: rt.Rtnetlink, rule: Rule) -> None:
    """Make a rule. Raise Refused."""
    netlink.request(rt.RTM_NEWRULE, encoded(rule), rt.NLM_F_CREATE | rt.NLM_F_EXCL)


def delete(netlink: rt.Rtnetlink, rule: Rule) -> None:
    """Delete exactly this rule. Raise Refused."""
    for seen, message in _seen(netlink, rule.family):
        if seen == rule:
            netlink.request(rt.RTM_DELRULE, message)
            return
    raise rt.Refused(errno.ESRCH, "there is no such rule any more")


def _seen(netlink: rt.Rtnetlink, family: str) -> Iterator[tuple[Rule, bytes]]:
    for message in netlink.messages(rt.RTM_GETRULE, _HEADER.pack(_FAMILIES[family], 0, 0, 0, 0, 0, 0)):
        yield decoded(message, family), message


def encoded(rule: Rule) -> bytes:
    """Return a rule as a request."""
    source, to = (ipaddress.ip_network(end) if end != "all" else None for end in (rule.source, rule.to))
    table = (TABLES.get(rule.table) or int(rule.table)) if rule.table else 0
    header = _HEADER.pack(
        _FAMILIES[rule.family],
        to.prefixlen if to else 0,
        source.prefixlen if source else 0,
        0,
        table if table < 256 else 0,
        _ACTION_NUMBERS[rule.action],
        _FIB_RULE_INVERT if rule.inverted else 0,
    )
    parts = [header, rt.attribute(_Fra.PRIORITY, _u32(rule.priority))]
    is_default = rule in DEFAULT_RULES[4] + DEFAULT_RULES[6]
    parts.append(rt.attribute(_Fra.PROTOCOL, bytes([RTPROT_KERNEL if is_default else RTPROT_STATIC])))
    if table:
        parts.append(rt.attribute(_Fra.TABLE, _u32(table)))
    for kind, network in ((_Fra.SRC, source), (_Fra.DST, to)):
        if network is not None:
            parts.append(rt.attribute(kind, network.network_address.packed))
    for kind, name in ((_Fra.IIFNAME, rule.iif), (_Fra.OIFNAME, rule.oif)):
        if name is not None:
            parts.append(rt.attribute(kind, name.encode() + b"\0"))
    if rule.fwmark is not None:
        mark, _, mask = rule.fwmark.partition("/")
        parts.append(rt.attribute(_Fra.FWMARK, _u32(int(mark, 16))))
        parts.append(rt.attribute(_Fra.FWMASK, _u32(int(mask, 16) if mask else _WHOLE)))
    if rule.ipproto is not None:
        number = IP_PROTOCOLS.get(rule.ipproto) or int(rule.ipproto)
        parts.append(rt.attribute(_Fra.IP_PROTO, bytes([number])))
    for kind, ports in ((_Fra.SPORT_RANGE, rule.sport), (_Fra.DPORT_RANGE, rule.dport)):
        if ports is not None:
            first, _, last = ports.partition("-")
            parts.append(rt.attribute(kind, struct.pack("=HH", int(first), int(last or first))))
    if rule.suppress_prefixlength is not None:
        parts.append(rt.attribute(_Fra.SUPPRESS_PREFIXLEN, _u32(rule.suppress_prefixlength)))
    return b"".join(parts)


def _u32(value: int) -> bytes:
    return struct.pack("=I", value)


def told(message: bytes) -> Rule | None:
    """Return the rule that a notification tells of; None where it is of another protocol than IP."""
    family = next((name for name, number in _FAMILIES.items() if number == message[0]), None)
    return decoded(message, family) if family else None


def decoded(message: bytes, family: str) -> Rule:
    """Return the rule that a message tells of."""
    _, to_length, source_length, _, header_table, action_number, flags = _HEADER.unpack_from(message)
    found = rt.attributes(message[_HEADER.size :])
    numbers = {kind: struct.unpack("=I", value)[0] for kind, value in found.items() if len(value) == 4}
    action = _ACTIONS.get(action_number, f"action{action_number}")
    table = numbers.get(_Fra.TABLE, header_table)
    suppressed = numbers.get(_Fra.SUPPRESS_PREFIXLEN, _WHOLE)
    protocol = found[_Fra.IP_PROTO][0] if _Fra.IP_PROTO in found else None
    return Rule(
        family=family,
        priority=numbers.get(_Fra.PRIORITY, 0),
        inverted=bool(flags & _FIB_RULE_INVERT),
        source=_network(found.get(_Fra.SRC), source_length),
        to=_network(found.get(_Fra.DST), to_length),
        fwmark=_mark(numbers),
        iif=_name(found.get(_Fra.IIFNAME)),
        oif=_name(found.get(_Fra.OIFNAME)),
        ipproto=None if protocol is None else _PROTOCOL_NAMES.get(protocol, str(protocol)),
        sport=_ports(found, _Fra.SPORT_RANGE, _Fra.SPORT_MASK),
        dport=_ports(found, _Fra.DPORT_RANGE, _Fra.DPORT_MASK),
        action=f"goto {numbers.get(_Fra.GOTO, 0)}" if action == "goto" else action,
        table=TABLE_NAMES.get(table, str(table)) if action == _LOOKUP and _Fra.L3MDEV not in found else None,
        suppress_prefixlength=None if suppressed == _WHOLE else suppressed,
        more=tuple(_more(message, found, numbers)),
    )


def _network(address: bytes | None, length: int) -> str:
    return "all" if address is None else f"{ipaddress.ip_address(address)}/{length}"


def _mark(numbers: Mapping[int, int]) -> str | None:
    mark, mask = numbers.get(_Fra.FWMARK, 0), numbers.get(_Fra.FWMASK, 0)
    if not mark and not mask:
        return None
    return f"{mark:#x}" if mask == _WHOLE else f"{mark:#x}/{mask:#x}"


def _name(value: bytes | None) -> str | None:
    return None if value is None else value.rstrip(b"\0").decode(errors="replace")


def _ports(found: Mapping[int, bytes], kind: _Fra, mask_kind: _Fra) -> str | None:
    if kind not in found:
        return None
    first, last = struct.unpack("=HH", found[kind])
    (mask,) = struct.unpack("=H", found.get(mask_kind, _WHOLE_PORT))
    ports = str(first) if first == last else f"{first}-{last}"
    return ports if mask == 0xFFFF else f"{ports}/{mask:#x}"


def _more(message: bytes, found: Mapping[int, bytes], numbers: Mapping[int, int]) -> Iterator[str]:
    """Yield what a file cannot say, in the words of ip-rule(8) where it has some."""
    tos = _HEADER.unpack_from(message)[3]
    if tos:
        yield from ("tos", f"{tos:#x}")
    if _Fra.UID_RANGE in found:
        yield from ("uidrange", "{}-{}".format(*struct.unpack("=II", found[_Fra.UID_RANGE])))
    if _Fra.TUN_ID in found:
        yield from ("tun_id", str(int.from_bytes(found[_Fra.TUN_ID], "big")))
    if _Fra.FLOW in found:
        yield from ("realms", str(numbers[_Fra.FLOW]))
    if numbers.get(_Fra.SUPPRESS_IFGROUP, _WHOLE) != _WHOLE:
        yield from ("suppress_ifgroup", str(numbers[_Fra.SUPPRESS_IFGROUP]))
    if _Fra.L3MDEV in found:
        yield "l3mdev"
    for kind, value in found.items():
        if kind not in _UNDERSTOOD:
            yield f"attribute{kind}={value.hex()}"
