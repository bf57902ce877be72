"""The filter of taps refuses the connections that were there before, and nothing else."""

from __future__ import annotations

import struct
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import ARP, Dot1Q, Ether
from scapy.packet import Raw

from labctl.kernel.connection_filter import LARGE, MOST, without

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
        elif code in (0x15, 0x1D, 0x35, 0x45):
            true = {0x15: a == k, 0x1D: a == x, 0x35: a >= k, 0x45: bool(a & k)}[code]
            at += jump_true if true else jump_false
        elif code == 0x05:
            at += k
        elif code == 0x06:
            return int(k)
        elif code in (0x02, 0x03):
            memory[k] = a if code == 0x02 else x
        elif code in (0x01, 0x61, 0x07):
            x = {0x01: k, 0x61: memory[k], 0x07: a}[code]
        else:
            a = {0x60: memory[k % 16], 0x87: x, 0x04: a + k, 0x0C: a + x, 0x14: a - k, 0x54: a & k, 0x64: a << k % 32,
                 0x74: a >> k % 32}[code] % 2**32  # fmt: skip


few = st.integers(1, 4)
headers = st.sampled_from([IP(), IP(flags="DF", options=[]), IP(options=b"\1\1\1\1"), IPv6()])
payloads = st.sampled_from([b"", b"x" * 20, b"x" * LARGE])
segments = st.builds(lambda h, s, d, p: h / TCP(sport=s, dport=d) / Raw(p), headers, few, few, payloads)
others = st.builds(lambda h, kind, p: h / kind / Raw(p), headers, st.sampled_from([UDP(), ICMP()]), payloads)


def refused(packet: Any, connections: set[tuple[int, int]]) -> bool:
    ports = (packet[TCP].sport, packet[TCP].dport) if TCP in packet else ()
    return ports in connections or ports[::-1] in connections


@settings(deadline=None, max_examples=60)
@given(segments | others, st.sets(st.tuples(few, few), max_size=4), st.booleans())
def test_a_connection_is_refused_in_both_directions(packet: Any, old: set[tuple[int, int]], wire: bool) -> None:
    frame = bytes(Ether() / packet if wire else packet)
    result = run(without(old, [9000]), ETHERNET if wire else TUN, frame)
    assert result == (0 if refused(packet, old) else ACCEPTED)


@settings(deadline=None, max_examples=60)
@given(st.lists(segments | others, min_size=1, max_size=3), st.sets(st.tuples(few, few), max_size=4), headers)
def test_in_a_tunnel_too_where_no_other_packet_can_be(
    carried: list[Any], old: set[tuple[int, int]], outer: Any
) -> None:
    train = b"".join(map(bytes, carried))
    frame = bytes(Ether() / outer / UDP(sport=1, dport=9000) / Raw(train))
    alone = len(carried) == 1 or len(bytes(carried[0])) >= LARGE
    expected = 0 if alone and refused(carried[0], old) else ACCEPTED
    assert run(without(old, [8000, 9000]), ETHERNET, frame) == expected
    assert run(without(old, [8000]), ETHERNET, frame) == ACCEPTED


def test_what_is_no_such_packet_is_accepted() -> None:
    program = without({(1, 2)}, [9000])
    segment = TCP(sport=1, dport=2)
    for packet in (Ether() / ARP(), Ether() / Dot1Q() / IP() / segment, Ether() / IP(frag=5, proto=6) / Raw(bytes(40))):
        assert run(program, ETHERNET, bytes(packet)) == ACCEPTED


def test_the_kernel_takes_as_many_connections_as_fit() -> None:
    assert len(without({(port, 1) for port in range(2 * MOST)}, range(9000, 9000 + 2 * MOST))) // 8 <= 4096
