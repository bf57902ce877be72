"""The filter of taps refuses the flows that it is told, and nothing else."""

from __future__ import annotations

import socket
import struct
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import IPv6, IPv6ExtHdrFragment
from scapy.layers.l2 import ARP, Dot1Q, Ether
from scapy.packet import Raw

from labctl.kernel.bpf import INSTRUCTIONS
from labctl.kernel.flow_filter import LARGE, MOST, MOST_SERVICES, without
from labctl.kernel.packet_taps import attach

ETHERNET, TUN = 1, 0xFFFE  # linux/if_arp.h
ACCEPTED = 0xFFFFFFFF


def run(program: bytes, device: int, frame: bytes) -> int:
    """What the kernel's own interpreter returns (Documentation/networking/filter.rst)."""
    lines = list(struct.iter_unpack("=HBBI", program))
    a = x = at = 0
    memory = [0] * 16
    while True:
        code, jump_true, jump_false, k = lines[at]
        at += 1
        if code in (0x20, 0x28, 0x40, 0x48, 0x50):
            if k == 0xFFFFF000 + 28:
                a = device
                continue
            begin, size = k + (x if code & 0x40 else 0), {0x00: 4, 0x08: 2, 0x10: 1}[code & 0x18]
            if begin + size > len(frame):
                return 0
            a = int.from_bytes(frame[begin : begin + size])
        elif code in (0x15, 0x2D, 0x35, 0x45):
            true = {0x15: a == k, 0x2D: a > x, 0x35: a >= k, 0x45: bool(a & k)}[code]
            at += jump_true if true else jump_false
        elif code == 0x05:
            at += k
        elif code == 0x06:
            return int(k)
        elif code in (0x02, 0x03):
            memory[k] = a if code == 0x02 else x
        elif code == 0x00:
            a = k
        elif code in (0x01, 0x61, 0x07):
            x = {0x01: k, 0x61: memory[k], 0x07: a}[code]
        else:
            results = {0x60: memory[k % 16], 0x87: x, 0x04: a + k, 0x0C: a + x, 0x14: a - k, 0x1C: a - x, 0x2C: a * x}
            results |= {0x3C: a // (x or 1), 0x54: a & k, 0x64: a << k % 32, 0x74: a >> k % 32}
            a = results[code] % 2**32


few = st.integers(1, 4)
headers = st.sampled_from([IP(), IP(flags="DF", options=[]), IP(options=b"\1\1\1\1"), IPv6()])
payloads = st.sampled_from([b"", b"x" * 20, b"x" * LARGE])
segments = st.builds(lambda h, s, d, p: h / TCP(sport=s, dport=d) / Raw(p), headers, few, few, payloads)
datagrams = st.builds(lambda h, s, d, p: h / UDP(sport=s, dport=d) / Raw(p), headers, few, few, payloads)
flows = st.sets(st.tuples(few, few), max_size=4)
others = st.builds(lambda h, kind, p: h / kind / Raw(p), headers, st.sampled_from([UDP(), ICMP()]), payloads)


def refused(packet: Any, tcp: set[tuple[int, int]], udp: set[tuple[int, int]]) -> bool:
    kind, among = (TCP, tcp) if TCP in packet else (UDP, udp)
    ports = (packet[kind].sport, packet[kind].dport) if kind in packet else ()
    return ports in among or ports[::-1] in among


@settings(max_examples=100)
@given(segments | datagrams | others, flows, flows, st.booleans())
def test_a_flow_is_refused_in_both_directions(
    packet: Any, tcp: set[tuple[int, int]], udp: set[tuple[int, int]], wire: bool
) -> None:
    frame = bytes(Ether() / packet if wire else packet)
    result = run(without(tcp, [9000], udp), ETHERNET if wire else TUN, frame)
    assert result == (0 if refused(packet, tcp, udp) else ACCEPTED)


trains = st.builds(
    lambda header, kind, ports, size, last: [
        header / kind(sport=source, dport=destination) / Raw(bytes(size if source != 9 else last))
        for source, destination in ports
    ],
    st.sampled_from([IP(), IPv6()]),
    st.sampled_from([TCP, UDP]),
    st.lists(st.tuples(few, few), min_size=1, max_size=40),
    st.integers(0, LARGE + 10),
    st.integers(0, 10),
)


@settings(max_examples=100)
@given(trains, st.integers(0, 20), st.sets(st.tuples(few, few), max_size=8), headers, st.sampled_from([TUN, ETHERNET]))
def test_a_train_in_a_tunnel_is_refused_if_each_of_its_packets_is(
    carried: list[Any], shorter: int, old: set[tuple[int, int]], outer: Any, device: int
) -> None:
    packets = [*map(bytes, carried)]
    last = carried[-1].copy()
    last.payload.payload = Raw(bytes(max(0, len(last.payload.payload) - shorter)))
    packets[-1] = bytes(last)
    packet = outer / UDP(sport=1, dport=9000) / Raw(b"".join(packets))
    frame = bytes(packet if device == TUN else Ether() / packet)
    looked_at = [carried[0], carried[-1]] if len(packets[0]) >= LARGE else carried
    expected = 0 if all(refused(each, old, old) for each in looked_at) else ACCEPTED
    assert run(without(old, [8000, 9000]), device, frame) == expected
    assert run(without((), [8000, 9000], old), device, frame) == expected  # in a tunnel ports are all that is known
    assert run(without(old, [8000]), device, frame) == ACCEPTED


def framed(packet: Any, inside: bool) -> bytes:
    """A packet alone, or in a tunnel."""
    return bytes(IP() / UDP(sport=1, dport=9000) / Raw(bytes(packet)) if inside else packet)


plain = st.sampled_from([IP(), IPv6()])
of_services = st.builds(lambda h, k, s, d: h / k(sport=s, dport=d), plain, st.sampled_from([TCP, UDP]), few, few)


@given(of_services, st.sets(few), st.booleans())
def test_what_has_the_port_of_a_service_is_refused(packet: Any, services: set[int], inside: bool) -> None:
    expected = ACCEPTED if services.isdisjoint((packet.sport, packet.dport)) else 0
    assert run(without((), [9000], services=services), TUN, framed(packet, inside)) == expected


def ping(header: Any, kind: int, payload: bytes) -> Any:
    return header / Raw(bytes([kind, 0, 0, 0, 0, 1, 0, 1]) + payload)


@given(st.integers(0, 140), st.sampled_from([b"mark", b"marking", b"other", b""]), st.booleans(), st.booleans())
def test_an_echo_without_the_mark_is_refused(kind: int, payload: bytes, later: bool, inside: bool) -> None:
    header = IPv6(nh=58) if later else IP(proto=1)
    is_echo = kind in ((128, 129) if later else (0, 8))
    program = without((), [9000], mark=b"mark")
    if is_echo or kind not in (0, 8, 128, 129):
        expected = 0 if is_echo and payload[:4] != b"mark" else ACCEPTED
        assert run(program, TUN, framed(ping(header, kind, payload), inside)) == expected
    assert run(without((), [9000]), TUN, framed(ping(header, kind, payload), inside)) == ACCEPTED


def test_one_echo_with_the_mark_among_others_in_a_tunnel_is_accepted() -> None:
    own, other = (bytes(ping(IP(proto=1), 8, payload)) for payload in (b"mark", b"blah"))
    program = without((), [9000], mark=b"mark")
    for train, result in ((other * 3, 0), (other + own + other, ACCEPTED), (other + other + own, ACCEPTED)):
        assert run(program, TUN, framed(Raw(train), True)) == result


@given(st.integers(0, 3), st.sampled_from([1, 6, 17]), st.sets(st.sampled_from([1, 6, 17])), st.booleans())
def test_parts_but_the_first_are_refused_by_their_protocol(at: int, kind: int, refused: set[int], later: bool) -> None:
    header = IPv6() / IPv6ExtHdrFragment(nh=kind, offset=at, m=1) if later else IP(frag=at, proto=kind, flags="MF")
    frame = bytes(header / Raw(bytes(40)))
    assert run(without((), [], fragments=refused), TUN, frame) == (0 if at and kind in refused else ACCEPTED)
    first_is_known = without({(0, 0)}, [], {(0, 0)}, fragments=refused)
    if not at and kind != 1:
        assert run(first_is_known, TUN, frame) == 0


@given(st.lists(others | segments, min_size=1, max_size=3), flows)
def test_another_packet_in_a_tunnel_is_accepted(carried: list[Any], old: set[tuple[int, int]]) -> None:
    frame = bytes(IP() / UDP(sport=1, dport=9000) / Raw(b"".join(map(bytes, carried))))
    if not refused(carried[0], old, old):
        assert run(without(old, [9000]), TUN, frame) == ACCEPTED


def test_what_is_no_such_packet_is_accepted() -> None:
    program = without({(1, 2)}, [9000])
    segment = TCP(sport=1, dport=2)
    for packet in (Ether() / ARP(), Ether() / Dot1Q() / IP() / segment, Ether() / IP(frag=5, proto=6) / Raw(bytes(40))):
        assert run(program, ETHERNET, bytes(packet)) == ACCEPTED


def test_the_kernel_takes_as_many_flows_as_fit() -> None:
    many = {(port, 1) for port in range(2 * MOST)}
    tunnels = range(9000, 9000 + 2 * MOST)
    services = range(1, 2 * MOST_SERVICES)
    for program in (without(many, tunnels), without(many, tunnels, many, services, [1, 17], b"mark"), without((), ())):
        assert len(program) // 8 <= INSTRUCTIONS
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
            attach(taken, program)
