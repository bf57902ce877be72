"""The header in front of every frame of a TUN device that has IFF_VNET_HDR (struct virtio_net_hdr).

It is a contract about work that is not done yet. On a frame that we read, NEEDS_CSUM says that the
checksum field holds only the sum of the pseudo-header, and a type says that the frame is many packets of
`gso_size` payload bytes each. On one that we write it says the same to the kernel, which then *trusts* the
payload. An all-zero header promises and asks nothing.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

SIZE = 10
NEEDS_CSUM = 1
NONE, TCPV4, TCPV6, UDP_L4 = 0, 1, 4, 5
EMPTY = bytes(SIZE)

# TUN's numbers are the machine's own byte order (TUNSETVNETLE is not asked for).
LAYOUT = struct.Struct("=BBHHHH")


class VnetHeader(NamedTuple):
    """The header's fields. `hdr_len` is a hint only, and wrong for forwarded frames: it is never used."""

    flags: int
    gso_type: int
    hdr_len: int
    gso_size: int
    csum_start: int
    csum_offset: int

    @classmethod
    def read(cls, data: bytes | bytearray | memoryview, at: int = 0) -> VnetHeader:
        """Return the header at offset `at` of the data."""
        return cls(*LAYOUT.unpack_from(data, at))
