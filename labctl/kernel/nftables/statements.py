"""What a rule does with a packet that it matches, in the words of nft(8): verdicts, NAT, limits and the like."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Mapping

from labctl.kernel import rtnetlink as rt
from labctl.kernel.nftables.fields import ICMP_CODES, ICMPV6_CODES
from labctl.kernel.nftables.messages import number, text

Told = Mapping[int, bytes]
"""The attributes of an expression."""

Value = Callable[[bytes], "bytes | None"]
"""What a register holds that an attribute names, where the rule itself says it."""

_VERDICT_CODE, _VERDICT_CHAIN = 1, 2  # NFTA_VERDICT_*
_VERDICTS = {
    0: "drop", 1: "accept", 3: "queue", -1: "continue", -2: "break", -3: "jump", -4: "goto", -5: "return",
}  # fmt: skip
"""NF_* and NFT_* in the words of nft(8)."""

_ICMPX_CODES = {0: "no-route", 1: "port-unreachable", 2: "host-unreachable", 3: "admin-prohibited"}
_USUAL_REJECTS = {("ip", 0, 3), ("ip6", 0, 4), ("inet", 2, 1), ("bridge", 2, 1), ("netdev", 2, 1)}
_TO_ICMP, _WITH_RESET, _TO_EITHER_ICMP = 0, 1, 2  # NFT_REJECT_*
_UNITS = {1: "second", 60: "minute", 3600: "hour", 86400: "day", 604800: "week"}
_SIZES = ("bytes", "kbytes", "mbytes", "gbytes")
_USUAL_BURST = 5
_RANGE_FLAGS = {0x4: "random", 0x10: "fully-random", 0x8: "persistent"}  # NF_NAT_RANGE_PROTO_RANDOM, ...


def verdict(told: bytes) -> str:
    """Return a verdict (NFTA_DATA_VERDICT)."""
    found = rt.attributes(told)
    code = int.from_bytes(found[_VERDICT_CODE], signed=True)
    target = f" {text(found[_VERDICT_CHAIN])}" if _VERDICT_CHAIN in found else ""
    return _VERDICTS.get(code, f"verdict {code}") + target


def reject(told: Told, family: str, network: str) -> str:
    kind, code = number(told[1]), number(told.get(2, b"\0"))  # NFTA_REJECT_TYPE, NFTA_REJECT_ICMP_CODE
    if kind == _WITH_RESET:
        return "reject with tcp reset"
    if (family, kind, code) in _USUAL_REJECTS:
        return "reject"
    if kind == _TO_EITHER_ICMP:
        return f"reject with icmpx {_ICMPX_CODES.get(code, code)}"
    if network == "ip6":
        return f"reject with icmpv6 {ICMPV6_CODES.get(code, code)}"
    return f"reject with icmp {ICMP_CODES.get(code, code)}"


def limit(told: Told) -> str:
    rate, unit, burst, kind, flags = (number(told.get(at, b"\0")) for at in range(1, 6))  # NFTA_LIMIT_*
    over = "over " if flags & 1 else ""
    per = _UNITS.get(unit, f"{unit} seconds")
    if kind == 0:
        more = f" burst {burst} packets" if burst != _USUAL_BURST else ""
        return f"limit rate {over}{rate}/{per}{more}"
    more = f" burst {_size(burst)}" if burst else ""
    return f"limit rate {over}{_size(rate)}/{per}{more}"


def _size(count: int) -> str:
    """Return a number of bytes in the largest unit that it is a multiple of."""
    unit = 0
    while count and not count % 1024 and unit + 1 < len(_SIZES):
        count, unit = count // 1024, unit + 1
    return f"{count} {_SIZES[unit]}"


def quota(told: Told) -> str:
    flags = number(told.get(2, b"\0"))  # NFTA_QUOTA_FLAGS
    return f"quota {'over ' if flags & 1 else ''}{_size(number(told[1]))}"


def log(told: Told) -> str:
    return f'log prefix "{text(told[2])}"' if 2 in told else "log"  # NFTA_LOG_PREFIX


def connlimit(told: Told) -> str:
    flags = number(told.get(2, b"\0"))  # NFTA_CONNLIMIT_FLAGS
    return f"ct count {'over ' if flags & 1 else ''}{number(told[1])}"


def nat(told: Told, family: str, value: Value) -> str:
    """Return snat or dnat; where to is left out if a map says it."""
    word = "dnat" if number(told[1]) else "snat"  # NFTA_NAT_TYPE
    of = "ip6" if number(told[2]) == 10 else "ip"  # NFTA_NAT_FAMILY
    first, last, lowest, highest = (value(told[at]) if at in told else None for at in range(3, 7))
    if (3 in told and first is None) or (5 in told and lowest is None):
        return f"{word} by a map"
    shown = "-".join(str(ipaddress.ip_address(each)) for each in dict.fromkeys((first, last)) if each)
    ports = _ports(lowest, highest)
    if ports and of == "ip6" and shown:
        shown = f"[{shown}]"
    prefix = f"{of} " if family == "inet" and first else ""
    return f"{word} {prefix}to {shown}{ports}{_flags(told, 7)}"


def _ports(lowest: bytes | None, highest: bytes | None) -> str:
    numbers = [str(number(each[:2])) for each in dict.fromkeys((lowest, highest)) if each]
    return f":{'-'.join(numbers)}" if numbers else ""


def masquerade(told: Told, value: Value) -> str:
    ports = _ports(*(value(told[at]) if at in told else None for at in (2, 3)))  # NFTA_MASQ_REG_PROTO_*
    return f"masquerade{f' to {ports}' if ports else ''}{_flags(told, 1)}"


def redirect(told: Told, value: Value) -> str:
    ports = _ports(*(value(told[at]) if at in told else None for at in (1, 2)))  # NFTA_REDIR_REG_PROTO_*
    return f"redirect{f' to {ports}' if ports else ''}{_flags(told, 3)}"


def _flags(told: Told, kind: int) -> str:
    flags = number(told.get(kind, b"\0"))
    words = ",".join(word for bit, word in _RANGE_FLAGS.items() if flags & bit)
    return f" {words}" if words else ""


def queue(told: Told) -> str:
    return f"queue to {number(told[1])}" if 1 in told else "queue"  # NFTA_QUEUE_NUM
