"""How nft(8) writes a comparison, and the elements of a set: with prefixes, ranges, names of bits."""

from __future__ import annotations

import ipaddress
import sys
from collections.abc import Sequence

from labctl.frozen import frozen
from labctl.kernel.nftables import statements
from labctl.kernel.nftables.fields import Field
from labctl.kernel.nftables.sets import Element

EQ, NEQ, LT, LTE, GT, GTE = range(6)  # NFT_CMP_*
_OPERATORS = {EQ: "", NEQ: "!= ", LT: "< ", LTE: "<= ", GT: "> ", GTE: ">= "}
_EXACT = {**_OPERATORS, EQ: "== "}


@frozen
class Loaded:
    """What is in a register: the fields that were loaded at once, or bytes of the rule itself, and what was done to it.

    `offset` is the first byte of a header, or -1.
    """

    fields: tuple[Field, ...] = ()
    value: bytes | None = None
    mask: bytes = b""
    xor: bytes = b""
    swapped: bool = False  # a number of the machine's that was brought into network byte order
    base: int = -1
    offset: int = -1


def shown(loaded: Loaded, field: Field, value: bytes) -> str:
    """Return a value of a field as nft(8) writes it."""
    turned = _in_network_order(loaded, field, value)
    return _bits(field, turned) if field.bits is not None else field.show(turned)


def _in_network_order(loaded: Loaded, field: Field, value: bytes) -> bytes:
    is_turned = field.in_host_order and not loaded.swapped and sys.byteorder == "little"
    return value[::-1] if is_turned else value


def compared(loaded: Loaded, operator: int, value: bytes) -> str:
    """Return a comparison of what is in a register. Raise ValueError where there are no words for it."""
    if len(loaded.fields) > 1 and not loaded.mask and operator == EQ:
        return _several(loaded, value)
    (field,) = loaded.fields
    if loaded.mask:
        mask, kept = (_in_network_order(loaded, field, each) for each in (loaded.mask, value))
        return _masked(field, mask, operator, kept)
    if field.is_address and len(value) < field.size:
        return f"{field.words} {_OPERATORS[operator]}{_prefix(field, value, 8 * len(value))}"
    return f"{field.words} {_OPERATORS[operator]}{shown(loaded, field, value)}"


def in_range(loaded: Loaded, operator: int, lowest: bytes, highest: bytes) -> str:
    """Return a comparison with a range, of EQ or NEQ. Raise ValueError where there are no words for it."""
    (field,) = loaded.fields
    if loaded.mask:
        raise ValueError("it compares bits with a range")
    ends = f"{shown(loaded, field, lowest)}-{shown(loaded, field, highest)}"
    return f"{field.words} {_OPERATORS[operator]}{ends}"


def _several(loaded: Loaded, value: bytes) -> str:
    """Return a comparison of fields that follow one another in a header."""
    found, at = [], 0
    for field in loaded.fields:
        found.append(f"{field.words} {shown(loaded, field, value[at : at + field.size])}")
        at += field.size
    return " ".join(found)


def _masked(field: Field, mask: bytes, operator: int, value: bytes) -> str:
    is_equal = operator in (EQ, NEQ)
    length = _prefix_length(mask)
    if field.is_address and length is not None and is_equal:
        return f"{field.words} {_OPERATORS[operator]}{_prefix(field, value, length)}"
    if field.bits is not None and operator == NEQ and not any(value):
        return f"{field.words} {_bits(field, mask)}"
    if field.bits is not None and is_equal:
        names = _bits(field, value) if any(value) else "0x0"
        return f"{field.words} {_OPERATORS[operator]}{names} / {_bits(field, mask)}"
    return f"{field.words} & {field.show(mask)} {_EXACT[operator]}{field.show(value)}"


def _bits(field: Field, value: bytes) -> str:
    """Return the names of the bits that are set, the least first."""
    assert field.bits is not None
    whole = int(field.show(value))
    names = [name for bit, name in field.bits.items() if whole & bit]
    rest = whole & ~sum(field.bits)
    return ",".join((*names, *([f"{rest:#x}"] if rest else [])))


def _prefix(field: Field, value: bytes, length: int) -> str:
    whole = value.ljust(field.size, b"\0")
    return f"{field.show(whole)}/{length}"


def _prefix_length(mask: bytes) -> int | None:
    """Return how many bits a mask begins with; None where others follow."""
    bits = f"{int.from_bytes(mask):0{8 * len(mask)}b}"
    return len(bits.rstrip("0")) if "01" not in bits else None


def with_elements(loaded: Sequence[Loaded], elements: Sequence[Element]) -> str:
    """Return the elements of a set, or of a map with its verdicts, of the fields that were loaded for its key."""
    ordered = sorted(elements, key=lambda element: element.key)
    return f"{{ {', '.join(_element(loaded, element) for element in ordered)} }}"


def _element(loaded: Sequence[Loaded], element: Element) -> str:
    verdict = f" : {statements.verdict(element.verdict)}" if element.verdict else ""
    return f"{_key(loaded, element)}{verdict}"


def _key(loaded: Sequence[Loaded], element: Element) -> str:
    fields = [(each, each.fields[0]) for each in loaded]
    if len(fields) == 1:
        ((one, field),) = fields
        return _interval(one, field, element)
    found, at = [], 0
    for each, field in fields:
        low, high = element.key[at : at + field.size], element.highest[at : at + field.size]
        found.append(shown(each, field, low) + (f"-{shown(each, field, high)}" if high and high != low else ""))
        at += (field.size + 3) & ~3
    return " . ".join(found)


def _interval(loaded: Loaded, field: Field, element: Element) -> str:
    """Return a key, or an interval: as a prefix where it is one of addresses."""
    low = element.key[: field.size]
    if element.behind is None:
        return shown(loaded, field, low)
    first, end = int.from_bytes(low), int.from_bytes(element.behind) or 1 << 8 * field.size
    high = (end - 1).to_bytes(field.size)
    if high == low:
        return shown(loaded, field, low)
    if field.is_address:
        ends = ipaddress.ip_address(low), ipaddress.ip_address(high)
        networks = list(ipaddress.summarize_address_range(*ends))
        if len(networks) == 1:
            return str(networks[0])
    return f"{shown(loaded, field, first.to_bytes(field.size))}-{shown(loaded, field, high)}"
