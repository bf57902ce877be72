"""A rule of nftables in the words of nft(8), out of the expressions that the kernel runs for it.

The expressions are a program of a small machine with registers: one loads a part of the packet, the next compares it.
Words are made for what is sure; all else is called `expression NAME`, by the name that the kernel has for it. nft(8)
adds comparisons that it does not show, as that of the protocol before one of a port, and they are left out here, too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import NamedTuple

from labctl.frozen import frozen
from labctl.kernel import rtnetlink as rt
from labctl.kernel.nftables import fields, statements, values
from labctl.kernel.nftables.fields import ADDRESS_TYPES, CT, Base, Field, fields_of, meta, of_host
from labctl.kernel.nftables.messages import number, text
from labctl.kernel.nftables.sets import Element
from labctl.kernel.nftables.values import EQ, GTE, LTE, Loaded

ElementsOf = Callable[[str], "tuple[Element, ...] | None"]
Told = Mapping[int, bytes]

_NAME, _DATA = 1, 2  # NFTA_EXPR_*
_VALUE, _VERDICT = 1, 2  # NFTA_DATA_*
_VERDICT_REGISTER, _FIRST_OF_32_BITS = 0, 8  # NFT_REG_VERDICT, NFT_REG32_00
_ANONYMOUS = ("__set", "__map")
_FIB_SELECTORS = {1: "saddr", 2: "daddr", 4: "mark", 8: "iif", 16: "oif"}  # NFTA_FIB_F_*
_FIB_PRESENT, _FIB_TYPE = 32, 3  # NFTA_FIB_F_PRESENT, NFT_FIB_RESULT_ADDRTYPE
_FIB_RESULTS = {1: "oif", 2: "oifname", _FIB_TYPE: "type"}
_IMPLIED_BY = {
    "meta nfproto": Base.NETWORK,
    "meta protocol": Base.NETWORK,
    "ether type": Base.NETWORK,
    "meta l4proto": Base.TRANSPORT,
    "iiftype": Base.LINK,
}
"""What nft(8) compares by itself before it looks at a header."""

_NETWORKS = {"ipv4": "ip", "ipv6": "ip6", "ip": "ip", "ip6": "ip6", "arp": "arp"}


class Said(NamedTuple):
    """A rule in words, and how many packets its counter has seen; None without one."""

    words: str
    packets: int | None


@frozen
class _Part:
    """Some words of a rule."""

    words: str
    implied_by: Base | None = None  # the header that a later part looks at only after this
    lowest: tuple[Loaded, bytes] | None = None  # what this compares with >=, which may begin a range


def said(family: str, expressions: Iterable[bytes], elements_of: ElementsOf, names: Mapping[int, str]) -> Said:
    """Return a rule in words, with the elements of its sets; `names` are the interfaces by their index."""
    machine = _Machine(family, elements_of, meta(names))
    for expression in expressions:
        told = rt.attributes(expression)
        machine.run(text(told[_NAME]), rt.attributes(told.get(_DATA, b"")))
    return Said(" ".join(part.words for part in machine.parts), machine.packets)


def _register(told: bytes) -> int:
    """Return the first of the registers of 32 bits that a register is made of (NFT_REG_1 and on have 128 bits)."""
    register = number(told)
    return register if register >= _FIRST_OF_32_BITS else _FIRST_OF_32_BITS + 4 * (register - 1)


def _value_of(told: bytes) -> bytes:
    return rt.attributes(told).get(_VALUE, b"")


class _Machine:
    """What runs the expressions of one rule, and keeps what they say."""

    def __init__(self, family: str, elements_of: ElementsOf, known: Mapping[int, Field]) -> None:
        self.parts: list[_Part] = []
        self.packets: int | None = None
        self._family = family
        self._elements_of = elements_of
        self._meta = known
        self._registers: dict[int, Loaded] = {}
        self._fresh: list[int] = []  # loaded since the last part, in their order
        self._network = _NETWORKS.get(family, "")
        self._protocol = "th"

    def run(self, name: str, told: Told) -> None:
        """Run one expression (net/netfilter/nft_*.c has one of each name)."""
        try:
            self._run(name, told)
        except (KeyError, ValueError, IndexError):  # it has another form than is known here
            self._unknown(name)

    def _run(self, name: str, told: Told) -> None:
        match name:
            case "payload":
                self._payload(told)
            case "meta":
                self._field(self._meta[number(told[2])], told.get(1), told.get(3))  # NFTA_META_*
            case "ct" if 3 not in told:  # NFTA_CT_DIRECTION
                self._field(CT[number(told[2])], told.get(1), told.get(4))
            case "ct":
                self._load(told[1], Loaded((fields.ct_of(number(told[2]), number(told[3])),)))
            case "cmp":
                self._cmp(told)
            case "range":
                loaded, operator = self._registers[_register(told[1])], number(told[2])  # NFTA_RANGE_*
                self._say(values.in_range(loaded, operator, _value_of(told[3]), _value_of(told[4])))
            case "bitwise":
                self._bitwise(told)
            case "byteorder":
                loaded = self._registers[_register(told[1])]
                self._load(told[2], replace(loaded, swapped=not loaded.swapped))
            case "lookup":
                self._lookup(told)
            case "immediate":
                self._immediate(told)
            case "fib":
                self._fib(told)
            case "numgen":
                kind = "random" if number(told[3]) else "inc"  # NFTA_NG_TYPE, NFTA_NG_MODULUS
                words = f"numgen {kind} mod {number(told[2])}"
                self._load(told[1], Loaded((of_host(words, 4, fields.number),)))
            case "counter":
                self.packets = number(told[2])  # NFTA_COUNTER_PACKETS
                self._say("counter")
            case _:
                self._statement(name, told)

    def _statement(self, name: str, told: Told) -> None:
        match name:
            case "reject":
                if number(told[1]) == 0:
                    self._leave_out(Base.NETWORK)
                self._say(statements.reject(told, self._family, self._network))
            case "nat":
                self._say(statements.nat(told, self._family, self._immediate_in))
            case "masq":
                self._say(statements.masquerade(told, self._immediate_in))
            case "redir":
                self._say(statements.redirect(told, self._immediate_in))
            case "limit":
                self._say(statements.limit(told))
            case "quota":
                self._say(statements.quota(told))
            case "connlimit":
                self._say(statements.connlimit(told))
            case "log":
                self._say(statements.log(told))
            case "queue":
                self._say(statements.queue(told))
            case "notrack":
                self._say("notrack")
            case "match" | "target":
                self._say(f'xt {name} "{text(told[1])}"')  # NFTA_MATCH_NAME, NFTA_TARGET_NAME
            case _:
                self._unknown(name)

    def _say(self, words: str, implied_by: Base | None = None, lowest: tuple[Loaded, bytes] | None = None) -> None:
        self.parts.append(_Part(words, implied_by, lowest))
        self._fresh.clear()

    def _unknown(self, name: str) -> None:
        """Say that something is there that has no sure words; it may have loaded any register."""
        self._registers.clear()
        self._say(f"expression {name}")

    def _leave_out(self, header: Base) -> None:
        """Take back what was only compared so that a header may be looked at."""
        self.parts = [part for part in self.parts if part.implied_by != header]

    def _load(self, register: bytes, loaded: Loaded) -> None:
        self._registers[_register(register)] = loaded
        self._fresh.append(_register(register))

    def _immediate_in(self, register: bytes) -> bytes | None:
        return self._registers[_register(register)].value

    def _payload(self, told: Told) -> None:
        base, offset, size = (number(told[at]) for at in (2, 3, 4))  # NFTA_PAYLOAD_*
        self._look_at(Base(base))
        if 5 in told:  # NFTA_PAYLOAD_SREG
            self._write(base, offset, self._registers[_register(told[5])])
            return
        self._load(told[1], Loaded(self._fields(base, offset, size), base=base, offset=offset))

    def _look_at(self, header: Base) -> None:
        self._leave_out(header)
        if header == Base.TRANSPORT and self._protocol in ("icmp", "ipv6-icmp"):
            self._leave_out(Base.NETWORK)

    def _fields(self, base: int, offset: int, size: int) -> tuple[Field, ...]:
        """Return the fields that some bytes of a header are, or the beginning of an address, or else the bytes."""
        known = fields_of(base, self._network, self._protocol)
        found: list[Field] = []
        at = offset
        while at < offset + size:
            field = next((field for (first, _), field in known.items() if first == at), None)
            if field is None or (at + field.size > offset + size and (found or not field.is_address)):
                letters = {Base.LINK: "ll", Base.NETWORK: "nh", Base.TRANSPORT: "th"}[Base(base)]
                return (Field(f"@{letters},{8 * offset},{8 * size}", size, fields.raw),)
            found.append(field)
            at += field.size
        return tuple(found)

    def _write(self, base: int, offset: int, loaded: Loaded) -> None:
        value = loaded.value
        if value is None:  # what was there, with some of its bytes replaced
            kept = loaded.mask.strip(b"\0")
            start = loaded.mask.index(0)
            value = loaded.xor[start : start + loaded.mask.count(0)]
            if kept.strip(b"\xff") or loaded.offset != offset or loaded.base != base:
                raise ValueError("bits, and not whole bytes, are replaced")
            offset += start
        (field,) = self._fields(base, offset, len(value))
        self._say(f"{field.words} set {values.shown(loaded, field, value)}")

    def _field(self, field: Field, loaded_into: bytes | None, stored_from: bytes | None) -> None:
        if loaded_into is not None:
            self._load(loaded_into, Loaded((field,)))
        elif stored_from is not None and (value := self._immediate_in(stored_from)) is not None:
            self._say(f"{field.words} set {values.shown(Loaded(), field, value[: field.size])}")
        else:
            raise ValueError("what is set is not of the rule itself")

    def _cmp(self, told: Told) -> None:
        if _register(told[1]) not in self._registers:
            return  # it compares what an unknown expression has loaded, which was said
        if self._registers[_register(told[1])].xor.strip(b"\0"):
            raise ValueError("bits were changed before")
        loaded, operator, value = self._registers[_register(told[1])], number(told[2]), _value_of(told[3])  # NFTA_CMP_*
        before = self.parts[-1].lowest if self.parts else None
        if operator == LTE and before is not None and before[0] == loaded:
            self.parts.pop()
            self._say(values.in_range(loaded, EQ, before[1], value))
            return
        words = values.compared(loaded, operator, value)
        if operator == EQ and not loaded.mask and len(loaded.fields) == 1:
            self._learn(loaded.fields[0].words, words.rpartition(" ")[2])
            self._say(words, _IMPLIED_BY.get(loaded.fields[0].words))
        else:
            self._say(words, lowest=(loaded, value) if operator == GTE else None)

    def _learn(self, field: str, value: str) -> None:
        """Keep what a comparison says of the headers that follow."""
        if field in ("meta nfproto", "meta protocol", "ether type"):
            self._network = _NETWORKS.get(value, "")
        elif field in ("meta l4proto", "ip protocol", "ip6 nexthdr"):
            self._protocol = value

    def _bitwise(self, told: Told) -> None:
        if number(told.get(6, b"\0")):  # NFTA_BITWISE_*
            raise ValueError("it shifts")
        mask, xor = _value_of(told[4]), _value_of(told[5])
        self._load(told[2], replace(self._registers[_register(told[1])], mask=mask, xor=xor))

    def _lookup(self, told: Told) -> None:
        name, first = text(told[1]), _register(told[2])  # NFTA_LOOKUP_*
        key = [self._registers[register] for register in self._fresh if register >= first] or [self._registers[first]]
        if any(loaded.mask or len(loaded.fields) != 1 for loaded in key):
            raise ValueError("it looks up bits, or bytes of the rule itself")
        words = " . ".join(loaded.fields[0].words for loaded in key)
        elements = self._elements_of(name) if name.startswith(_ANONYMOUS) else None
        shown = values.with_elements(key, elements) if elements is not None else f"@{name}"
        if 3 not in told:  # NFTA_LOOKUP_DREG
            self._say(f"{words} {'!= ' if number(told.get(5, bytes(4))) else ''}{shown}")
        elif number(told[3]) == _VERDICT_REGISTER:
            self._say(f"{words} vmap {shown}")
        else:
            self._load(told[3], Loaded((Field(f"{words} map @{name}", 0, lambda value: value.hex()),)))

    def _immediate(self, told: Told) -> None:
        data = rt.attributes(told[2])  # NFTA_IMMEDIATE_*
        if _VERDICT in data:
            self._say(statements.verdict(data[_VERDICT]))
        else:
            self._registers[_register(told[1])] = Loaded(value=data[_VALUE])

    def _fib(self, told: Told) -> None:
        result, flags = number(told[2]), number(told[3])  # NFTA_FIB_*
        selectors = " . ".join(word for bit, word in _FIB_SELECTORS.items() if flags & bit)
        words = f"fib {selectors} {_FIB_RESULTS[result]}"
        names = {0: "missing", 1: "exists"} if flags & _FIB_PRESENT else ADDRESS_TYPES if result == _FIB_TYPE else {}
        self._load(told[1], Loaded((of_host(words, 4, fields.one_of(names)),)))
