"""Headers are read as scapy writes them, and any bytes are read without an error."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.contrib.geneve import GENEVE
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import (
    ICMPv6EchoRequest,
    ICMPv6PacketTooBig,
    IPv6,
    IPv6ExtHdrDestOpt,
    IPv6ExtHdrFragment,
    IPv6ExtHdrHopByHop,
)
from scapy.layers.l2 import ARP, GRE, Dot1Q, Ether
from scapy.layers.vxlan import VXLAN
from scapy.packet import Raw

from labctl.report import packets
from labctl.trace.dissect import Arp, Icmp, Packet, Tcp, Udp, frame, packet
from labctl.trace.encapsulation import carried

ports = st.integers(0, 65535)
words = st.integers(0, 2**32 - 1)
v4 = st.integers(0, 2**32 - 1).map(lambda number: str(IPv4Address(number)))
v6 = st.integers(0, 2**128 - 1).map(lambda number: str(IPv6Address(number)))
payloads = st.binary(max_size=200)


def headers() -> st.SearchStrategy[Any]:
    four = st.builds(IP, src=v4, dst=v4, id=ports, ttl=st.integers(0, 255), flags=st.sampled_from(["", "DF"]))
    six = st.builds(IPv6, src=v6, dst=v6, hlim=st.integers(0, 255))
    extensions = st.lists(st.sampled_from([IPv6ExtHdrHopByHop, IPv6ExtHdrDestOpt]), max_size=2)

    def extended(header: Any, kinds: list[Any]) -> Any:
        for kind in kinds:
            header /= kind()
        return header

    return four | st.builds(extended, six, extensions)


def read(built: Any) -> Packet:
    found = packet(bytes(built))
    assert found is not None
    return found


def test_every_ip_header_is_read() -> None:
    @given(headers(), ports, ports, payloads)
    def holds(header: Any, source: int, destination: int, payload: bytes) -> None:
        found = read(header / UDP(sport=source, dport=destination) / Raw(payload))
        assert found.version == header.version
        assert (found.source, found.destination) == tuple(str(ip_address(end)) for end in (header.src, header.dst))
        assert found.ttl == (header.ttl if header.version == 4 else header.hlim)
        assert found.identification == (header.id if header.version == 4 else 0)
        assert found.dont_fragment == (header.version == 6 or header.flags == "DF")
        assert isinstance(found.transport, Udp) and found.ports == (source, destination)
        assert found.transport.length == 8 + len(payload)
        assert (found.payload, found.payload_length) == (payload, len(payload))

    holds()


def test_tcp_is_read() -> None:
    @given(headers(), ports, words, words, st.lists(st.sampled_from("FSRPAU"), unique=True), payloads)
    def holds(header: Any, port: int, seq: int, ack: int, flags: list[str], payload: bytes) -> None:
        options = [("MSS", 1460), ("NOP", None), ("SAckOK", b"")] if "S" in flags else []
        segment = TCP(sport=port, dport=80, seq=seq, ack=ack, flags="".join(flags), window=port, options=options)
        found = read(header / segment / Raw(payload))
        assert isinstance(found.transport, Tcp)
        assert found.transport.ports == (port, 80) and found.transport.window == port
        assert (found.transport.sequence, found.transport.acknowledged) == (seq, ack)
        assert {name[0] for name in found.transport.flags} == set(flags)
        assert found.payload == payload

    holds()


def test_icmp_is_read_with_what_it_quotes() -> None:
    @given(v4, v4, ports, ports, payloads)
    def holds(one: str, other: str, identifier: int, sequence: int, payload: bytes) -> None:
        echo = IP(src=one, dst=other) / ICMP(id=identifier, seq=sequence) / Raw(payload)
        found = read(echo)
        assert found.transport == Icmp(8, 0, "echo request", echo=(identifier, sequence))
        error = IP(src=other, dst=one) / ICMP(type=3, code=4, nexthopmtu=identifier) / Raw(bytes(echo)[:28])
        about = read(error)
        assert about.transport == Icmp(3, 4, "destination unreachable", mtu=identifier, is_error=True)
        assert about.quoted is not None
        assert (about.quoted.echo, about.quoted.source) == ((identifier, sequence), one)
        assert about.quoted.payload_length == len(payload)

    holds()


def test_icmpv6_is_read_with_what_it_quotes() -> None:
    echo = IPv6(src="fd00::1", dst="fd00::2") / ICMPv6EchoRequest(id=7, seq=9)
    assert read(echo).echo == (7, 9)
    about = read(IPv6(src="fd00::2", dst="fd00::1") / ICMPv6PacketTooBig(mtu=1280) / Raw(bytes(echo)))
    assert isinstance(about.transport, Icmp) and about.transport.mtu == 1280
    assert about.quoted is not None and about.quoted.echo == (7, 9)


def test_fragments_are_read() -> None:
    @given(st.integers(1, 8000), st.booleans(), words)
    def holds(offset: int, more: bool, identification: int) -> None:
        flags = "MF" if more else ""
        four = read(IP(id=identification % 65536, frag=offset, flags=flags, proto=17) / Raw(bytes(16)))
        extension = IPv6ExtHdrFragment(offset=offset, m=more, id=identification, nh=17)
        six = read(IPv6() / IPv6ExtHdrHopByHop() / extension / Raw(bytes(16)))
        for found in (four, six):
            assert found.is_fragment and (found.fragment_at, found.more_fragments) == (offset * 8, more)
            assert found.transport is None and found.payload == bytes(16) and found.protocol == 17
        assert (four.identification, six.identification) == (identification % 65536, identification)

    holds()


@pytest.mark.parametrize("number", [1, 2, 3])
def test_what_a_tunnel_carries_is_read(number: int) -> None:
    inner = [IP(src="10.0.101.1", dst="10.0.102.1") / ICMP(id=5, seq=each) / Raw(b"x" * each) for each in range(number)]
    outer = IP(src="10.0.1.1", dst="10.0.2.1") / UDP(sport=9000, dport=9001)
    data = bytes(outer / Raw(b"".join(map(bytes, inner))))
    for ports_of_engines in ({9000}, {9001}):
        found = packet(data, ports_of_engines)
        assert found is not None and [each.echo for each in found.inside] == [(5, each) for each in range(number)]
        assert found.layers == (found, found.inside[0])
    other, longer = packet(data, {80}), packet(bytes(outer / Raw(bytes(inner[0]) + b"?")), {9000})
    assert other is not None and other.inside == () and longer is not None and longer.inside == ()


ALL_OF_GRE: dict[str, Any] = {"chksum_present": 1, "key_present": 1, "seqnum_present": 1}
OPTION: dict[str, Any] = {"vni": 5, "proto": 0x6558, "options": b"\1\2\3\0"}
KERNEL_TUNNELS: dict[str, Callable[[Any, int], Any]] = {
    "ipip": lambda inner, _: IP(proto=4) / inner,
    "6in4": lambda inner, _: IP(proto=41) / inner,
    "gre": lambda inner, kind: IP() / GRE(proto=kind) / inner,
    "gre with all": lambda inner, kind: IPv6() / GRE(proto=kind, **ALL_OF_GRE) / inner,
    "gretap": lambda inner, _: IP() / GRE(proto=0x6558) / Ether() / inner,
    "vxlan": lambda inner, _: IP() / UDP(sport=50000, dport=4789) / VXLAN(vni=5) / Ether() / Dot1Q(vlan=7) / inner,
    "geneve": lambda inner, _: IPv6() / UDP(dport=6081) / GENEVE(**OPTION) / Ether() / inner,
    "in ipip": lambda inner, kind: IP(proto=4) / IP() / GRE(proto=kind) / inner,
}


@pytest.mark.parametrize("kind", KERNEL_TUNNELS)
@pytest.mark.parametrize("inner", [IP(dst="10.9.0.2"), IPv6(dst="fd00::2")])
def test_what_a_tunnel_of_the_kernel_carries_is_read(kind: str, inner: Any) -> None:
    inside = inner / UDP(sport=1, dport=2) / Raw(b"hello")
    found = read(KERNEL_TUNNELS[kind](inside, 0x0800 if inner.version == 4 else 0x86DD))
    carried = found.layers[-1]
    assert (carried.destination, carried.ports, carried.payload) == (inner.dst, (1, 2), b"hello")
    assert len(found.layers) == (3 if kind == "in ipip" else 2)


def test_what_only_looks_like_a_tunnel_carries_nothing() -> None:
    cut = bytes(IP(proto=47) / Raw(b"\0"))
    later = IP(proto=4, frag=5) / Raw(bytes(IP()))
    for built in (cut, later, IP() / UDP(dport=4789) / Raw(b"\0" * 60), IP() / GRE(proto=0x8847) / Raw(bytes(40))):
        found = packet(bytes(built))
        assert found is not None and found.inside == ()


def test_a_segment_of_tcp_is_no_tunnel_whatever_its_ports() -> None:
    inside = bytes(VXLAN(vni=5) / Ether() / IP(dst="10.9.0.2"))
    assert carried(17, (50000, 4789), inside) and not carried(6, (50000, 4789), inside)


def test_packets_in_packets_are_read_as_deep_as_a_kernel_sends_them() -> None:
    nested = IP(proto=4)
    for _ in range(3000):
        nested = IP(proto=4, len=0xFFFF, chksum=0) / Raw(bytes(nested))
    assert len(read(nested).layers) == 9


def test_a_first_fragment_of_a_tunnel_shows_what_it_carries() -> None:
    inner = IP(src="10.0.101.1", dst="10.0.102.1") / ICMP(id=5, seq=1) / Raw(bytes(1400))
    outer = bytes(IP(flags="MF") / UDP(sport=9000, dport=9000, len=1436) / Raw(bytes(inner)[:500]))
    found = packet(outer, {9000})
    assert found is not None and found.layers[-1].echo == (5, 1) and found.layers[-1].length == 1428


def test_arp_and_vlans_are_read() -> None:
    macs: dict[str, Any] = {"src": "02:00:00:00:00:01", "dst": "ff:ff:ff:ff:ff:ff"}
    question = ARP(op=1, hwsrc=macs["src"], psrc="192.0.2.1", hwdst="00:00:00:00:00:00", pdst="192.0.2.2")
    found = frame(bytes(Ether(**macs) / Dot1Q(vlan=100) / Dot1Q(vlan=5) / question), ethernet=True)
    assert (found.source_mac, found.destination_mac, found.vlans) == (macs["src"], macs["dst"], (100, 5))
    assert found.content == Arp(True, macs["src"], "192.0.2.1", "00:00:00:00:00:00", "192.0.2.2")
    assert packets.words(found) == "VLAN 100  VLAN 5  ARP who has 192.0.2.2? tell 192.0.2.1, 28 bytes"
    answer = ARP(op=2, hwsrc=macs["src"], psrc="192.0.2.2", hwdst="02:00:00:00:00:02", pdst="192.0.2.1")
    found = frame(bytes(Ether(src=macs["src"]) / answer), ethernet=True)
    assert packets.words(found) == "ARP 192.0.2.2 is at 02:00:00:00:00:01, 28 bytes"


def test_any_bytes_are_read() -> None:
    @given(st.binary(max_size=120), st.booleans())
    def holds(data: bytes, ethernet: bool) -> None:
        found = frame(data, ethernet, {9000})
        assert found.packet is None or found.packet.length >= 0

    holds()


def test_any_damage_is_read() -> None:
    inner = IP(src="10.0.101.1", dst="10.0.102.1") / ICMP() / Raw(b"x" * 8)
    samples = [
        bytes(Ether() / IP() / UDP(sport=9000, dport=9000) / Raw(bytes(inner) * 2)),
        bytes(Ether() / IP() / ICMP(type=3, code=4) / Raw(bytes(inner))),
        bytes(Ether() / IPv6() / IPv6ExtHdrHopByHop() / IPv6ExtHdrFragment(m=1) / TCP() / Raw(b"x")),
    ]

    @given(st.sampled_from(samples), st.data())
    def holds(sample: bytes, data: st.DataObject) -> None:
        damaged = bytearray(sample)
        for _ in range(data.draw(st.integers(1, 4))):
            damaged[data.draw(st.integers(0, len(sample) - 1))] = data.draw(st.integers(0, 255))
        frame(bytes(damaged[: data.draw(st.integers(0, len(sample)))]), True, {9000})

    holds()
