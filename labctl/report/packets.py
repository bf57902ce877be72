"""Packets for a person, a line each, and for tcpdump and wireshark, as a file.

The file is the classic pcap format with nanoseconds (draft-ietf-opsawg-pcap), in the byte order of this machine.
"""

from __future__ import annotations

import struct
from datetime import datetime

from labctl.engine.packets.describe import describe
from labctl.kernel.packet_capture import LARGEST, Seen

MAGIC_NANOSECONDS = 0xA1B23C4D
LINKTYPE_ETHERNET, LINKTYPE_RAW = 1, 101
_OTHERS = {0x0806: "ARP"}  # EtherTypes, linux/if_ether.h
_IP = (0x0800, 0x86DD)
_LEAST_ETHERTYPE = 0x0600  # what is less is the length of an IEEE 802.3 frame


def line(seen: Seen) -> str:
    """Return a packet as a line: local time, its direction at the interface, and what it is."""
    when = datetime.fromtimestamp(seen.at / 1e9).strftime("%H:%M:%S.%f")
    what = describe(seen.packet)
    if seen.protocol not in _IP:
        other = f"EtherType 0x{seen.protocol:04x}" if seen.protocol >= _LEAST_ETHERTYPE else "IEEE 802.3"
        what = f"{_OTHERS.get(seen.protocol, other)}, {len(seen.packet)} bytes"
    vlans = "".join(f"VLAN {vlan}  " for vlan in seen.vlans)
    return f"{when} {'out' if seen.outgoing else 'in '}  {vlans}{what}"


def file_header(ethernet: bool) -> bytes:
    """Return the header of a file, for packets with Ethernet headers or without."""
    kind = LINKTYPE_ETHERNET if ethernet else LINKTYPE_RAW
    return struct.pack("=IHHiIII", MAGIC_NANOSECONDS, 2, 4, 0, 0, LARGEST, kind)


def file_record(seen: Seen) -> bytes:
    """Return a packet as a record of a file."""
    size = len(seen.frame)
    return struct.pack("=IIII", *divmod(seen.at, 10**9), size, size) + seen.frame
