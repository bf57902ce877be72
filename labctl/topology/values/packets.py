"""What rules tell packets apart by and where they send them: marks, ports, protocols, tables, rulesets."""

from __future__ import annotations

import re
from typing import Any

from labctl.topology.iproute import IP_PROTOCOLS, TABLES
from labctl.topology.values.addresses import parse_port
from labctl.topology.values.text import as_text, is_whole, mistake

UINT32 = 2**32 - 1
_MARK = re.compile(r"0[xX][0-9A-Fa-f]{1,8}|[0-9]{1,10}")
_INCLUDE = re.compile(r"\s*include\b")


def parse_table(value: Any) -> str:
    """Return a routing table by its name, or by its number where it has none."""
    text = as_text(value, "a routing table")
    if text in TABLES:
        return text
    if not (text.isascii() and text.isdigit() and len(text) <= 10 and 1 <= int(text) <= UINT32):
        known = ", ".join(TABLES)
        raise mistake(f"{text!r} is no routing table", f"a whole number from 1 to {UINT32}, or {known}")
    return next((name for name, number in TABLES.items() if number == int(text)), str(int(text)))


def parse_mark(value: Any) -> str:
    """Return a mark of packets and the mask under which it counts, in hex as `ip rule` shows them."""
    text = as_text(value, "a mark")
    parts = text.split("/")
    numbers = [int(part, 16 if part[1:2] in ("x", "X") else 10) for part in parts if _MARK.fullmatch(part)]
    if len(numbers) != len(parts) or len(parts) > 2 or max(numbers) > UINT32 or numbers[1:] == [0]:
        raise mistake(f"{text!r} is no mark of packets", "for example 0x1, or 0x1/0xff with a mask")
    shown = numbers[:1] if numbers[1:] == [UINT32] else numbers
    return "/".join(f"{number:#x}" for number in shown)


def parse_ports(value: Any) -> str:
    """Return a port or a range of ports that a rule can name."""
    text = as_text(value, "a port or a range of ports")
    first, dash, last = text.partition("-")
    low, high = parse_port(first), parse_port(last if dash else first)
    if low > high:
        raise mistake(f"{text!r} is no range of ports", f"write {high}-{low}")
    if high == 65535:
        raise mistake("no rule can name port 65535", "the kernel takes 1 to 65534 (fib_rule_port_range_valid())")
    return str(low) if low == high else f"{low}-{high}"


def parse_ip_protocol(value: Any) -> str:
    """Return an IP protocol by its name, or by its number where it has none."""
    text = as_text(value, "an IP protocol")
    if text in IP_PROTOCOLS:
        return text
    if not is_whole(text) or not 1 <= int(text) <= 255:
        raise mistake(f"{text!r} is no IP protocol", f"a whole number from 1 to 255, or {', '.join(IP_PROTOCOLS)}")
    return next((name for name, number in IP_PROTOCOLS.items() if number == int(text)), str(int(text)))


def parse_ruleset(value: Any) -> str:
    """Return a ruleset in the language of nft(8), as it is written: what it says only nft(8) knows."""
    found = as_text(value, "a ruleset of nft as text")
    if not found.strip():
        raise mistake("the ruleset is empty", "leave it out, or write it below `nft: |`")
    for number, line in enumerate(found.splitlines(), 1):
        if _INCLUDE.match(line):
            raise mistake(f"line {number} includes another file", "write its rules here: the lab is one file")
    return found
