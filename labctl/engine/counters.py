"""What an endpoint has done, in numbers that other processes can read while it runs.

Every packet that comes in goes out again or is counted as exactly one drop, by its reason. So at any
quiet moment

    tun_read_packets     == udp_sent_packets    + the sum of all `out_...` drops
    udp_received_packets == tun_written_packets + the sum of all `in_...` drops

An impairment may hold packets back for a while, and makes copies: `copies_out` and `copies_in` then stand on the
left side, and what is held on the right.

The network's unit is the packet. With offloads the TUN device has another: a superframe of many packets is
one frame that its interface counts once, as `ip -s link` shows. So frames are counted, too:

    tun_read_frames    == the interface's TX packets
    tun_written_frames == the interface's RX packets

as far back as the endpoint goes. A packet that came or went by itself is one frame.

The numbers are 64-bit cells in a memory-mapped file. To count is to add in memory: no system call, no
lock. Each cell has one writer and is aligned, so a reader sees a whole number, though two cells may be a
packet apart. Only what a stranger sends at any moment is never half counted to a reader: `sequence_cell` is
a sequence counter like the kernel's seqcount_t, odd while such a datagram is being counted. The file outlives the
endpoint: the last state can still be read.
"""

from __future__ import annotations

import mmap
import os
import struct
import zlib
from collections.abc import Mapping
from pathlib import Path
from time import sleep
from types import TracebackType
from typing import ClassVar, Self

from labctl.engine.features import Feature

NAMES = (
    "tun_read_packets",
    "tun_read_bytes",
    "udp_sent_packets",
    "udp_sent_bytes",
    "udp_received_packets",
    "udp_received_bytes",
    "tun_written_packets",
    "tun_written_bytes",
    "tun_read_frames",
    "tun_written_frames",
    "too_big_answers",  # ICMP messages of our own, written to the TUN device
    "icmp_errors",  # notices that an *earlier* datagram was not accepted; no drop of our own
    "copies_out",  # made by an impairment
    "copies_in",
    "out_malformed",  # not exactly one IP packet
    "out_routing_loop",  # the endpoint's own datagram, routed into the tunnel, perhaps inside another tunnel's
    "out_refused",  # ECONNREFUSED, twice for one datagram
    "out_unreachable",  # ENETUNREACH, EHOSTUNREACH
    "out_too_big",  # EMSGSIZE
    "out_busy",  # EAGAIN, ENOBUFS
    "out_send_failed",  # any other errno
    "out_lost",  # by an impairment
    "out_queue_full",  # the queue for the link of an impairment was full
    "in_not_from_peer",  # a stranger's datagram
    "in_empty",  # a datagram without a byte
    "in_malformed",  # not exactly one IP packet
    "in_not_ecn_capable",  # marked CE on the way, but Not-ECT itself (RFC 6040 4.2)
    "in_link_down",  # EIO: the interface is down; EBADFD: it is gone
    "in_busy",  # EAGAIN, ENOBUFS
    "in_tun_rejected",  # EINVAL and any other errno
    "in_lost",  # as out_lost
    "in_queue_full",
)
DROPS_OUT = tuple(name for name in NAMES if name.startswith("out_"))
DROPS_IN = tuple(name for name in NAMES if name.startswith("in_"))

_DROPPED = {
    "out_malformed": "malformed, on the way out",
    "out_routing_loop": "of the tunnel's own, routed back into it",
    "out_refused": "refused by the peer's host: no program has that port",
    "out_unreachable": "with no route to the peer",
    "out_too_big": "too large for the underlay",
    "out_busy": "for a socket whose buffer was full",
    "out_send_failed": "refused by the socket for another reason",
    "out_lost": "lost by an impairment, on the way out",
    "out_queue_full": "for the full queue of an impairment, on the way out",
    "in_not_from_peer": "from a stranger",
    "in_empty": "without a byte",
    "in_malformed": "malformed, on the way in",
    "in_not_ecn_capable": "that were marked as congested on the way, and are not ECN-capable",
    "in_link_down": "for an interface that is down",
    "in_busy": "for an interface whose queue was full",
    "in_tun_rejected": "rejected by the interface",
    "in_lost": "lost by an impairment, on the way in",
    "in_queue_full": "for the full queue of an impairment, on the way in",
}


def words_for(name: str, count: int) -> str:
    """Return what a person reads for `count` packets of a drop, or for `count` ICMP errors."""
    plural = "" if count == 1 else "s"
    if name == "icmp_errors":
        return f"{count} ICMP error{plural} for earlier datagrams"
    return f"{count} packet{plural} {_DROPPED[name]}"


_THROUGH = {
    "out": ("tun_read_packets", "copies_out", "udp_sent_packets", DROPS_OUT),
    "in": ("udp_received_packets", "copies_in", "tun_written_packets", DROPS_IN),
}


def held_back(counts: Mapping[str, int], direction: str) -> int:
    """Return how many packets have come in one direction, `out` or `in`, and have neither left nor been dropped."""
    came, copies, left, drops = _THROUGH[direction]
    return counts.get(came, 0) + counts.get(copies, 0) - sum(counts.get(name, 0) for name in (left, *drops))


# Where each cell is. A cell of packets has its cell of bytes right behind it.
TUN_READ, UDP_SENT, UDP_RECEIVED, TUN_WRITTEN = range(0, 8, 2)
TUN_READ_FRAMES, TUN_WRITTEN_FRAMES = NAMES.index("tun_read_frames"), NAMES.index("tun_written_frames")
TOO_BIG_ANSWERS = NAMES.index("too_big_answers")
ICMP_ERRORS = NAMES.index("icmp_errors")
COPIES_OUT, COPIES_IN = NAMES.index("copies_out"), NAMES.index("copies_in")
OUT_MALFORMED = NAMES.index("out_malformed")
OUT_ROUTING_LOOP = NAMES.index("out_routing_loop")
OUT_REFUSED = NAMES.index("out_refused")
OUT_UNREACHABLE = NAMES.index("out_unreachable")
OUT_TOO_BIG = NAMES.index("out_too_big")
OUT_BUSY = NAMES.index("out_busy")
OUT_SEND_FAILED = NAMES.index("out_send_failed")
OUT_LOST, OUT_QUEUE_FULL = NAMES.index("out_lost"), NAMES.index("out_queue_full")
IN_NOT_FROM_PEER = NAMES.index("in_not_from_peer")
IN_EMPTY = NAMES.index("in_empty")
IN_MALFORMED = NAMES.index("in_malformed")
IN_NOT_ECN_CAPABLE = NAMES.index("in_not_ecn_capable")
IN_LINK_DOWN = NAMES.index("in_link_down")
IN_BUSY = NAMES.index("in_busy")
IN_TUN_REJECTED = NAMES.index("in_tun_rejected")
IN_LOST, IN_QUEUE_FULL = NAMES.index("in_lost"), NAMES.index("in_queue_full")

_HEADER = struct.Struct("=8sII")

_PAUSE, _LOOKS = 0.001, 100
"""Seconds between two looks at numbers that are just being changed, and how many before they are taken as they are."""


class Counters:
    """The cells, indexed by the constants of this module, and the memory that they live in."""

    names: ClassVar[tuple[str, ...]] = NAMES

    def __init__(self, memory: mmap.mmap | bytearray) -> None:
        self._memory = memory
        cells = memoryview(memory)[_HEADER.size :].cast("Q")
        self.cells, self.feature_cell, self.change_cell = cells[:-3], cells[-3:-2], cells[-2:-1]
        self.sequence_cell = cells[-1:]

    @classmethod
    def anonymous(cls) -> Self:
        """Return counters that only this process sees."""
        return cls(bytearray(cls._size()))

    @classmethod
    def _size(cls) -> int:
        # Behind the counters are three cells: the bits of the features that are engaged, how often an impairment was
        # changed since the start, and the sequence counter.
        return _HEADER.size + 8 * (len(cls.names) + 3)

    @classmethod
    def _expected(cls) -> bytes:
        # The names' own checksum is part of the header: numbers are never shown under another release's names.
        return _HEADER.pack(b"ttuncnt\0", 4, zlib.crc32("\n".join(cls.names).encode()))

    @classmethod
    def create(cls, path: Path) -> Self:
        """Make the file, readable by its owner only, in place of one of that name. Raise OSError if that fails."""
        temporary = path.parent / f".{path.name}.{os.getpid()}"
        descriptor = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            os.write(descriptor, cls._expected().ljust(cls._size(), b"\0"))
            memory = mmap.mmap(descriptor, cls._size())
            temporary.rename(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        finally:
            os.close(descriptor)
        return cls(memory)

    @classmethod
    def open(cls, path: Path) -> Self:
        """Map the file for reading. Raise OSError if that fails, ValueError if it is not such a file."""
        with path.open("rb") as file:
            if os.fstat(file.fileno()).st_size != cls._size() or file.read(_HEADER.size) != cls._expected():
                raise ValueError(f"{path} does not hold the counters of this release of ttun")
            return cls(mmap.mmap(file.fileno(), cls._size(), access=mmap.ACCESS_READ))

    def snapshot(self) -> dict[str, int]:
        """Return all numbers by name, as they are now, or as a writer left them that ended within a datagram."""
        for _ in range(_LOOKS):
            sequence = self.sequence_cell[0]
            numbers = self.cells.tolist()
            if sequence % 2 == 0 and self.sequence_cell[0] == sequence:
                break
            sleep(_PAUSE)
        return dict(zip(self.names, numbers, strict=True))

    @property
    def features(self) -> Feature:
        """The offloads that are engaged now."""
        return Feature(self.feature_cell[0])

    @property
    def changes(self) -> int:
        """How often the impairments were changed since the start."""
        return int(self.change_cell[0])

    def close(self) -> None:
        """Unmap the memory. The file stays."""
        for cells in (self.cells, self.feature_cell, self.change_cell, self.sequence_cell):
            cells.release()
        if isinstance(self._memory, mmap.mmap):
            self._memory.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
