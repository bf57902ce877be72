"""A packet that comes in over a veth, made by hand: so it has any source."""

from __future__ import annotations

import ipaddress
import socket

from labctl.kernel.flow import Flow

CABLE = "ip link add name eth0 type veth peer name eth1; ip link set eth0 up; ip addr add 10.0.0.1/24 dev eth0"
TO, FROM = ipaddress.ip_address("10.0.0.1"), ipaddress.ip_address("10.0.0.7")
FLOW = Flow(TO, FROM, "udp", 4000, 9000)


def send(flow: Flow = FLOW, ttl: int = 64) -> None:
    """Send one packet of a flow, with hello in it, out of eth1 and so into eth0."""
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as wire:
        wire.bind(("eth1", 0))
        wire.send(_mac_of("eth0") + bytes.fromhex("020000000007 0800") + _packet(flow, ttl))


def _mac_of(interface: str) -> bytes:
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as there:
        there.bind((interface, 0))
        return bytes(there.getsockname()[4])


def _packet(flow: Flow, ttl: int) -> bytes:
    """IPv4 and UDP; a UDP checksum of 0 is none."""
    assert flow.source is not None
    data = flow.sport.to_bytes(2) + flow.dport.to_bytes(2) + (8 + 5).to_bytes(2) + bytes(2) + b"hello"
    length = 20 + len(data)
    header = b"\x45\0" + length.to_bytes(2) + bytes(4) + bytes((ttl, 17))
    ends = flow.source.packed + flow.to.packed
    total = sum(int.from_bytes((header + ends)[at : at + 2]) for at in range(0, 18, 2))
    total = (total & 0xFFFF) + (total >> 16)
    return header + (~total & 0xFFFF).to_bytes(2) + ends + data
