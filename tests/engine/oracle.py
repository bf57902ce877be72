"""The slow way, independent of the engine's: checksums word by word, superframes cut packet by packet.

Nothing here uses numpy or the engine's arithmetic. Packets are made of their fields, each with right
checksums, so that whatever the engine makes of them can be compared with what it must be.
"""

from __future__ import annotations

import ipaddress
import struct
from dataclasses import dataclass, replace

from labctl.engine.packets.vnet import NEEDS_CSUM, TCPV4, TCPV6, UDP_L4, VnetHeader

TCP, UDP = 6, 17
ACK, PSH, FIN, CWR = 0x10, 0x08, 0x01, 0x80


def ones_sum(data: bytes) -> int:
    """RFC 1071: the sum of 16-bit words, each carry added again."""
    if len(data) % 2:
        data += b"\0"
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total


@dataclass(frozen=True)
class Segment:
    """A TCP or UDP packet, or a whole superframe of them, as its fields."""

    payload: bytes
    protocol: int = TCP
    source: str = "10.0.101.1"
    destination: str = "10.0.102.1"
    ports: tuple[int, int] = (40000, 5201)
    id: int = 7
    fragment: int = 0x4000
    ttl: int = 64
    sequence: int = 1000
    flags: int = ACK
    options: bytes = bytes((1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2))
    zero_udp_checksum: bool = False

    @property
    def version(self) -> int:
        return ipaddress.ip_address(self.source).version

    @property
    def l4(self) -> int:
        return 20 if self.version == 4 else 40

    @property
    def head(self) -> int:
        return self.l4 + (20 + len(self.options) if self.protocol == TCP else 8)

    def packet(self, partial: bool = False) -> bytes:
        """The bytes, with right checksums; `partial` leaves the pseudo-header's sum in the one behind IP."""
        source, destination = (ipaddress.ip_address(each).packed for each in (self.source, self.destination))
        l4_length = self.head - self.l4 + len(self.payload)
        if self.version == 4:
            fields = (0x45, 0, 20 + l4_length, self.id, self.fragment, self.ttl, self.protocol)
            bare = struct.pack("!BBHHHBB2x", *fields) + source + destination
            ip = bare[:10] + struct.pack("!H", 0xFFFF - ones_sum(bare)) + bare[12:]
        else:
            ip = struct.pack("!IHBB", 6 << 28, l4_length, self.protocol, self.ttl) + source + destination
        if self.protocol == TCP:
            doff = (5 + len(self.options) // 4) << 4
            l4 = struct.pack("!HHIIBBHHH", *self.ports, self.sequence, 77, doff, self.flags, 512, 0, 0)
            l4, at = l4 + self.options, 16
        else:
            l4, at = struct.pack("!HHHH", *self.ports, l4_length, 0), 6
        pseudo = source + destination + struct.pack("!II", l4_length, self.protocol)
        if partial:
            check = ones_sum(pseudo)
        else:
            check = 0xFFFF - ones_sum(pseudo + l4 + self.payload)
            if self.protocol == UDP:
                check = 0 if self.zero_udp_checksum else check or 0xFFFF
        return ip + l4[:at] + struct.pack("!H", check) + l4[at + 2 :] + self.payload

    def header(self, gso_size: int) -> VnetHeader:
        """The virtio header of this segment as a superframe. Its length of headers is wrong on purpose."""
        kind = UDP_L4 if self.protocol == UDP else TCPV4 if self.version == 4 else TCPV6
        return VnetHeader(NEEDS_CSUM, kind, 1, gso_size, self.l4, 6 if self.protocol == UDP else 16)

    def cut(self, gso_size: int) -> list[Segment]:
        """The packets that this superframe stands for."""
        pieces = [self.payload[at : at + gso_size] for at in range(0, len(self.payload), gso_size)]
        made = []
        for number, piece in enumerate(pieces):
            flags = self.flags
            if number:
                flags &= ~CWR
            if number < len(pieces) - 1:
                flags &= ~(FIN | PSH)
            at = (self.sequence + number * gso_size) % 2**32
            made.append(replace(self, payload=piece, id=(self.id + number) % 2**16, sequence=at, flags=flags))
        return made


def is_right(packet: bytes) -> bool:
    """Whether every checksum of this TCP or UDP packet without extension headers is right."""
    l4, at = (20, 12) if packet[0] >> 4 == 4 else (40, 8)
    protocol = packet[9 if l4 == 20 else 6]
    if l4 == 20 and ones_sum(packet[:20]) != 0xFFFF:
        return False
    pseudo = packet[at:l4] + struct.pack("!II", len(packet) - l4, protocol)
    return ones_sum(pseudo + packet[l4:]) == 0xFFFF


def carries(packet: bytes, addresses: bytes, ports: bytes) -> bool:
    """Whether a UDP datagram between these ends is this packet, or is inside it as the payload of a payload."""
    version = packet[0] >> 4 if packet else 0
    if version not in (4, 6) or len(packet) < (20 if version == 4 else 40):
        return False
    if version == 4:
        here, protocol, at = packet[12:20], packet[9], 4 * (packet[0] % 16)
        if int.from_bytes(packet[6:8]) % 0x2000:
            return False
    else:
        here, protocol, at = packet[8:40], packet[6], 40
        while protocol in (44, 60):
            if protocol == 44 and int.from_bytes(packet[at + 2 : at + 4]) >> 3:
                return False
            protocol, at = packet[at], at + 8
    if at < 20 or protocol != UDP or len(packet) < at + 8:
        return False
    if (here, packet[at : at + 4]) == (addresses, ports):
        return True
    inside, length = packet[at + 8 :], int.from_bytes(packet[at + 4 : at + 6]) - 8
    if not inside:
        return False
    stated = int.from_bytes(inside[2:4]) if inside[0] >> 4 == 4 else 40 + int.from_bytes(inside[4:6])
    return stated == length and carries(inside, addresses, ports)
