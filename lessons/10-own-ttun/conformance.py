"""conformance.py TEST...: ask the ttun of siteA, as its peer, whether it does what a ttun does.

It runs in siteB in place of a ttun. What it sends are IP packets, each in a UDP datagram: echo requests, which the
kernel of siteA answers through its TUN device. The program in between can be written in any language.
"""

from __future__ import annotations

import os
import socket
import struct
import sys
import time
from typing import NoReturn

HERE, THERE = ("10.0.2.1", 9000), ("10.0.1.1", 9000)  # of the datagrams
INNER_HERE, INNER_THERE = "10.0.102.1", "10.0.101.1"  # of the packets inside
PAYLOAD = b"conformance test"
NUMBER = os.getpid() & 0xFFFF  # the identifier of the echo requests of this run
PATIENCE = 0.2


class Peer:
    """The other end of the tunnel."""

    def __init__(self, address: tuple[str, int] = HERE) -> None:
        self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.udp.bind(address)

    def send(self, datagram: bytes) -> None:
        self.udp.sendto(datagram, THERE)

    def expect(
        self, sequence: int, payload: bytes = PAYLOAD, why: str = "no reply came: is your ttun running?"
    ) -> None:
        """End the test unless the next reply is that to a certain request."""
        found = self.reply()
        if found is None:
            fail(why)
        if found != (sequence, payload):
            fail(f"reply {found[0]} with {len(found[1])} bytes came, in place of {sequence} with {len(payload)}")

    def reply(self) -> tuple[int, bytes] | None:
        """Return sequence number and payload of the next reply to a request of this run; None if none comes."""
        end = time.monotonic() + PATIENCE
        while (left := end - time.monotonic()) > 0:
            self.udp.settimeout(left)
            try:
                datagram, sender = self.udp.recvfrom(65535)
            except TimeoutError:
                break
            check_wire(datagram, sender)
            kind, number, sequence = struct.unpack_from("!BxxxHH", datagram, 20)
            if (kind, number) == (0, NUMBER):
                return sequence, datagram[28:]
        return None


def check_wire(datagram: bytes, sender: tuple[str, int]) -> None:
    """End the test if a datagram is not one IP packet, and nothing else, from where it has to come."""
    if sender != THERE:
        fail("a datagram came from {}:{}, not from {}:{}: bind the socket".format(*sender, *THERE))
    if datagram[:1] != b"\x45":
        fail(f"a datagram begins with {datagram[:4].hex(' ')}, and not with an IP packet: is IFF_NO_PI set?")
    (length,) = struct.unpack_from("!H", datagram, 2)
    if length != len(datagram):
        fail(f"an IP packet of {length} bytes came in a datagram of {len(datagram)}")


def request(sequence: int, payload: bytes = PAYLOAD) -> bytes:
    """Return an IP packet with an echo request (RFC 791, RFC 792)."""
    icmp = with_checksum(struct.pack("!BBHHH", 8, 0, 0, NUMBER, sequence) + payload, at=2)
    addresses = socket.inet_aton(INNER_HERE) + socket.inet_aton(INNER_THERE)
    header = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(icmp), 0, 0x4000, 64, socket.IPPROTO_ICMP, 0) + addresses
    return with_checksum(header, at=10) + icmp


def with_checksum(data: bytes, at: int) -> bytes:
    """Return a header with its checksum (RFC 1071), which is 0 so far."""
    even = data + bytes(len(data) % 2)
    total = sum(struct.unpack(f"!{len(even) // 2}H", even))
    total = (total & 0xFFFF) + (total >> 16)
    total += total >> 16
    return data[:at] + struct.pack("!H", ~total & 0xFFFF) + data[at + 2 :]


def fail(why: str) -> NoReturn:
    sys.exit(why)


def wire() -> None:
    """A packet is a datagram, as it is, in both directions."""
    peer = Peer()
    peer.send(request(1, bytes(range(256))))
    peer.expect(1, bytes(range(256)), why="no reply came: is your ttun running, with IFF_NO_PI?")


def mtu() -> None:
    """A packet as large as the TUN device has them (1472 bytes) comes through whole."""
    peer = Peer()
    for number, size in enumerate((1, 1000, 1444), 1):
        payload = os.urandom(size)
        peer.send(request(number, payload))
        peer.expect(number, payload, why=f"no reply came to a packet of {28 + size} bytes")


def order() -> None:
    """A burst of packets comes through complete, and in order."""
    peer = Peer()
    for number in range(1, 65):
        peer.send(request(number))
    for number in range(1, 65):
        peer.expect(number, why=f"of 64 packets at once only {number - 1} came back")


def strangers() -> None:
    """A datagram that the peer has not sent is dropped."""
    peer = Peer()
    for other in (HERE[0], 9001), ("192.0.2.2", HERE[1]):
        Peer(other).send(request(666))
    peer.send(request(1))
    match peer.reply():
        case None:
            fail("no reply came to the peer itself")
        case (666, _):
            fail("it took a datagram that came from another address or port than its peer's")


def empty() -> None:
    """An empty datagram, and one that is no IP packet, do no harm."""
    peer = Peer()
    peer.send(request(1))
    peer.expect(1)
    for number, (datagram, name) in enumerate([(b"", "an empty datagram"), (b"hello", "a datagram with 'hello'")], 2):
        peer.send(datagram)
        peer.send(request(number))
        peer.expect(number, why=f"after {name} no reply came any more")


def absent() -> None:
    """It goes on when its peer was absent for a while (ICMP port unreachable)."""
    peer = Peer()
    peer.send(request(1))
    peer.expect(1)
    for number in (2, 3):
        peer.udp.close()
        before, end = unreachable(), time.monotonic() + PATIENCE
        send_without_socket(request(666))
        while unreachable() == before and time.monotonic() < end:
            time.sleep(0.001)
        if unreachable() == before:
            fail("it sent nothing while its peer was absent")
        peer = Peer()
        peer.send(request(number))
        peer.expect(number, why="after its peer was absent for a moment no reply came any more")


def send_without_socket(packet: bytes) -> None:
    """Send a datagram as the peer does, while nothing has its port (RFC 768; the checksum may be left out)."""
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_UDP) as raw:
        raw.bind((HERE[0], 0))
        raw.sendto(struct.pack("!HHHH", HERE[1], THERE[1], 8 + len(packet), 0) + packet, (THERE[0], 0))


def unreachable() -> int:
    """Return how many ICMP errors "destination unreachable" the kernel of siteB has sent."""
    with open("/proc/net/snmp") as file:
        names, values = (line.split() for line in file if line.startswith("Icmp:"))
    return int(values[names.index("OutDestUnreachs")])


TESTS = {test.__name__: test for test in (wire, mtu, order, strangers, empty, absent)}

if __name__ == "__main__":
    for name in sys.argv[1:] or TESTS:
        TESTS[name]()
        print(f"{name}: as it should be")
