"""Packets as a file that Wireshark, tshark and tcpdump read: pcapng (draft-ietf-opsawg-pcapng).

It is written here because what a lab needs of the format, the writers of Python lack: several interfaces with names and
descriptions in one file, nanoseconds, comments, and directions. It is four kinds of blocks, in the byte order of this
machine. A block is handed over whole, so a file is whole after each.

    section header     once: who wrote it, and a comment
    interface          before its first packet: name, description, link-layer type, resolution of its times
    enhanced packet    interface, time, bytes, direction, comment
    interface counts   at the end: what was not kept
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator

from labctl import __version__
from labctl.kernel.packet_taps import LARGEST, PacketType, Seen
from labctl.topology.interface_ref import InterfaceRef

LINKTYPE_ETHERNET, LINKTYPE_RAW = 1, 101
_SECTION, _INTERFACE, _PACKET, _COUNTS = 0x0A0D0D0A, 1, 6, 5
_BYTE_ORDER = 0x1A2B3C4D
_COMMENT = 1  # in any block
_SHB_USERAPPL = 4
_IF_NAME, _IF_DESCRIPTION, _IF_TSRESOL = 2, 3, 9
_EPB_FLAGS = 2
_ISB_IFDROP = 5
_NANOSECONDS = 9  # 10^-9 seconds
_MOST_COMMENT = 0xFFFF

_OUTBOUND, _INBOUND = 2, 1
_RECEPTION = {  # bits 2 to 4 of epb_flags
    PacketType.HOST: 1,
    PacketType.MULTICAST: 2,
    PacketType.BROADCAST: 3,
    PacketType.OTHERHOST: 4,  # promiscuous
    PacketType.OUTGOING: 0,
}


class PcapngWriter:
    """Writes a section. `describe` returns what is told of an interface beside its name."""

    def __init__(self, write: Callable[[bytes], object], describe: Callable[[InterfaceRef], str], comment: str) -> None:
        self._write = write
        self._describe = describe
        self._interfaces: dict[tuple[InterfaceRef, bool], int] = {}
        written = comment.encode(errors="replace")  # it names files, whose names may be any bytes
        options = _options((_SHB_USERAPPL, f"labctl {__version__}".encode()), (_COMMENT, written))
        write(_block(_SECTION, struct.pack("=IHHq", _BYTE_ORDER, 1, 0, -1) + options))

    def packet(self, seen: Seen, comment: str = "") -> None:
        """Write a packet, and its interface where it is the first of that."""
        number = self.interface(seen.ref, seen.ethernet)
        flags = (_OUTBOUND if seen.outgoing else _INBOUND) | _RECEPTION[seen.kind] << 2
        options = _options((_EPB_FLAGS, struct.pack("=I", flags)), (_COMMENT, comment.encode()))
        fixed = struct.pack("=IIIII", number, seen.at >> 32, seen.at & 0xFFFFFFFF, len(seen.frame), seen.length)
        self._write(_block(_PACKET, fixed + _padded(seen.frame) + options))

    def interface(self, ref: InterfaceRef, ethernet: bool) -> int:
        """Return the number of an interface, which is written where it is new."""
        number = self._interfaces.get((ref, ethernet))
        if number is None:
            number = self._interfaces[(ref, ethernet)] = len(self._interfaces)
            options = _options(
                (_IF_NAME, str(ref).encode()),
                (_IF_DESCRIPTION, self._describe(ref).encode()),
                (_IF_TSRESOL, bytes([_NANOSECONDS])),
            )
            kind = LINKTYPE_ETHERNET if ethernet else LINKTYPE_RAW
            self._write(_block(_INTERFACE, struct.pack("=HHI", kind, 0, LARGEST) + options))
        return number

    def missed(self, packets: int, at: int) -> None:
        """Write how many packets were not kept, of all interfaces, at the first of them; at a time in nanoseconds."""
        if self._interfaces:
            options = _options((_ISB_IFDROP, struct.pack("=Q", packets)))
            self._write(_block(_COUNTS, struct.pack("=III", 0, at >> 32, at & 0xFFFFFFFF) + options))


def _block(kind: int, body: bytes) -> bytes:
    length = struct.pack("=I", len(body) + 12)
    return struct.pack("=I", kind) + length + body + length


def _options(*options: tuple[int, bytes]) -> bytes:
    """Return options, each with code, length, and value, but those that are empty, and their end."""
    return b"".join((*_encoded(options), bytes(4)))


def _encoded(options: tuple[tuple[int, bytes], ...]) -> Iterator[bytes]:
    for code, value in options:
        if value:
            value = value[:_MOST_COMMENT]
            yield struct.pack("=HH", code, len(value)) + _padded(value)


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)
