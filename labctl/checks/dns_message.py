"""A question to a name server and its answer, as bytes (RFC 1035, section 4; RFC 3596 for AAAA). Pure.

What is read comes from the network: any bytes end in an answer, or in Malformed. A pointer of a compressed name leads
backwards only (section 4.1.4: "a prior occurrence"), so that none can go round in a circle.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address
from typing import Literal

from labctl.frozen import frozen
from labctl.topology.values import Host

Type = Literal["A", "AAAA"]

_HEADER = struct.Struct("!6H")  # identifier, flags, and how many records each of the four sections has
_QUESTION = struct.Struct("!HH")  # type, class
_RECORD = struct.Struct("!HHIH")  # type, class, time to live, length of the data
_IN = 1
_TYPES: dict[str, int] = {"A": 1, "AAAA": 28}
_CNAME = 5
_RESPONSE, _TRUNCATED, _RECURSION_DESIRED = 0x8000, 0x0200, 0x0100
_OPCODE, _RCODE = 0x7800, 0x000F
_POINTER = 0xC0
_LONGEST = 255  # bytes of a name with the lengths of its labels (section 2.3.4)
_SIZES = {1: 4, 28: 16}

CODES = {0: "NOERROR", 1: "FORMERR", 2: "SERVFAIL", 3: "NXDOMAIN", 4: "NOTIMP", 5: "REFUSED"}
"""What a server says of a question (section 4.1.1)."""


class Malformed(Exception):
    """Bytes that are no message, in words."""


@frozen
class Answer:
    """What a name server answers: its code, and the addresses at the end of the chain of names that begins at ours."""

    code: str
    addresses: tuple[Host, ...]
    truncated: bool

    @property
    def denies(self) -> bool:
        """Return whether it says that there is no address of that name."""
        return self.code in ("NOERROR", "NXDOMAIN") and not self.addresses


def question(identifier: int, name: str, kind: Type) -> bytes:
    """Return the question for the addresses of a name."""
    return _HEADER.pack(identifier, _RECURSION_DESIRED, 1, 0, 0, 0) + _name(name) + _QUESTION.pack(_TYPES[kind], _IN)


def answer(identifier: int, name: str, kind: Type, message: bytes) -> Answer | None:
    """Return what a message answers to a question; None where it is no answer to this one. Raise Malformed."""
    if len(message) < _HEADER.size:
        raise Malformed(f"{len(message)} bytes are too few for a header")
    number, flags, questions, answers, _, _ = _HEADER.unpack_from(message)
    if number != identifier or not flags & _RESPONSE or flags & _OPCODE:
        return None
    code = CODES.get(flags & _RCODE, f"code {flags & _RCODE}")
    if questions == 0 and flags & _RCODE:  # a server that could not read the question need not repeat it
        return Answer(code, (), False)
    reader = _Reader(message, _HEADER.size)
    if questions != 1 or reader.name() != _folded(name) or reader.unpack(_QUESTION) != (_TYPES[kind], _IN):
        return None
    truncated = bool(flags & _TRUNCATED)
    try:
        records = [reader.record() for _ in range(answers)]
    except Malformed:
        if not truncated:
            raise
        records = []
    return Answer(code, tuple(_followed(records, _folded(name), _TYPES[kind])), truncated)


@frozen
class _Record:
    owner: bytes
    kind: int
    data: bytes
    leads_to: bytes = b""  # of a CNAME


def _followed(records: list[_Record], name: bytes, kind: int) -> Iterator[Host]:
    """Yield the addresses of a name, or of the one that it is another name for."""
    aliases = {record.owner: record.leads_to for record in records if record.kind == _CNAME}
    for _ in range(len(aliases)):
        name = aliases.get(name, name)
    for record in records:
        if (record.owner, record.kind) == (name, kind):
            yield IPv4Address(record.data) if kind == _TYPES["A"] else IPv6Address(record.data)


class _Reader:
    """Reads a message from a position on."""

    def __init__(self, message: bytes, position: int) -> None:
        self._message = message
        self._position = position

    def unpack(self, form: struct.Struct) -> tuple[int, ...]:
        return form.unpack(self._take(form.size))

    def _take(self, size: int) -> bytes:
        part = self._message[self._position : self._position + size]
        if len(part) < size:
            raise Malformed(f"it ends after {len(self._message)} bytes, within a record")
        self._position += size
        return part

    def name(self) -> bytes:
        """Return a name as labels with their lengths, in small letters."""
        found, position, after = b"", self._position, None
        lowest = position  # of what has been read of it
        while True:
            length = self._byte(position)
            if length & _POINTER == _POINTER:
                target = (length & ~_POINTER) << 8 | self._byte(position + 1)
                after = position + 2 if after is None else after
                if target >= lowest:
                    raise Malformed("a name points to itself, or forwards")
                position = lowest = target
                continue
            if length & _POINTER:
                raise Malformed("a label is of no known kind")
            label = self._message[position : position + 1 + length]
            if len(label) <= length:
                raise Malformed(f"it ends after {len(self._message)} bytes, within a name")
            found += label.lower()
            position += 1 + length
            if len(found) > _LONGEST:
                raise Malformed(f"a name is longer than {_LONGEST} bytes")
            if not length:
                self._position = position if after is None else after
                return found

    def _byte(self, position: int) -> int:
        if position >= len(self._message):
            raise Malformed(f"it ends after {len(self._message)} bytes, within a name")
        return self._message[position]

    def record(self) -> _Record:
        owner = self.name()
        kind, network, _, size = self.unpack(_RECORD)
        start = self._position
        data = self._take(size)
        if network != _IN or kind not in (_CNAME, *_SIZES):
            return _Record(owner, 0, b"")
        if kind == _CNAME:
            inner = _Reader(self._message, start)
            return _Record(owner, kind, data, inner.name())
        if size != _SIZES[kind]:
            raise Malformed(f"an address of {size} bytes is none")
        return _Record(owner, kind, data)


def _name(name: str) -> bytes:
    labels = name.encode("ascii").split(b".") if name else []
    return b"".join(bytes([len(label)]) + label for label in labels) + b"\0"


def _folded(name: str) -> bytes:
    """Return a name as it is compared: letters are the same in either case (section 2.3.3)."""
    return _name(name).lower()
