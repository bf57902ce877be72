"""What fills a tap is left out, and nothing that may be of a check is."""

from __future__ import annotations

from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.packet import Raw

from labctl.checks.icmp import MARK
from labctl.diagnosis.asked import asked_of
from labctl.diagnosis.crowd import SHARE, Crowd
from labctl.diagnosis.path import Asked, Paths
from labctl.kernel.packet_taps import EVERYTHING, PacketType, Seen
from tests.diagnosis.cases import topology
from tests.trace.test_flow_filter import ACCEPTED, TUN, run

TUNNEL = frozenset({9000})
FEW, MANY = 5, 1000


def seen(packet: object, times: int) -> list[Seen]:
    frame = bytes(packet)  # type: ignore[call-overload]
    return [Seen(at, "siteA", "tun0", PacketType.OUTGOING, False, len(frame), frame) for at in range(times)]


def asked(kind: str) -> Asked:
    """What a check of a lab asks that is made over TCP, or by ping."""
    found = topology("two-site")
    every = (asked_of(check, Paths(found)) for check in found.checks)
    return next(each for each in every if each and each.protocol.startswith(kind))


def lets_pass(crowd: Crowd, about: Asked | None, packet: object, translated: bool = False) -> bool:
    return run(crowd.program(about, TUNNEL, translated), TUN, bytes(packet)) == ACCEPTED  # type: ignore[call-overload]


STREAM = IP(src="10.0.101.1", dst="10.0.102.1") / TCP(sport=40000, dport=5201) / Raw(b"x" * 1400)
FLOOD = IP(src="10.0.101.1", dst="10.0.102.1") / UDP(sport=40001, dport=5201) / Raw(b"x" * 64)
TALK = IP(src="10.0.101.1", dst="10.0.102.1") / TCP(sport=40002, dport=22) / Raw(b"x")
PING = IP(src="10.0.101.1", dst="10.0.102.1") / ICMP(id=7)
IN_TUNNEL = IP(src="10.0.1.1", dst="10.0.2.1") / UDP(sport=9000, dport=9000) / Raw(bytes(STREAM))
OF_ENGINE = IP(src="10.0.1.1", dst="10.0.2.1") / UDP(sport=9000, dport=9000) / Raw(bytes(PING))


def test_the_flows_of_most_packets_are_left_out_and_no_others() -> None:
    assert FEW < SHARE * MANY
    packets = [*seen(IN_TUNNEL, MANY // 2), *seen(TALK, FEW), *seen(FLOOD, MANY // 2), *seen(PING, MANY // 2)]
    crowd = Crowd().joined_by(packets, TUNNEL)
    about = asked("icmp")
    assert not any(lets_pass(crowd, about, packet) for packet in (STREAM, FLOOD, IN_TUNNEL))
    assert all(lets_pass(crowd, about, packet) for packet in (TALK, PING, OF_ENGINE))


def test_who_has_joined_stays() -> None:
    crowd = Crowd().joined_by(seen(STREAM, MANY), TUNNEL).joined_by(seen(FLOOD, MANY), TUNNEL)
    assert not any(lets_pass(crowd, None, packet) for packet in (STREAM, FLOOD))


def test_nothing_that_may_be_of_the_check_is_left_out() -> None:
    about = asked("tcp")
    own = IP(src="10.0.101.1", dst="10.0.102.1") / TCP(sport=40000, dport=about.port)
    crowd = Crowd().joined_by(seen(own, MANY), TUNNEL)
    assert crowd and lets_pass(crowd, about, own) and not lets_pass(crowd, asked("icmp"), own)


def test_all_short_connections_to_a_service_are_left_out_where_no_port_is_translated() -> None:
    short = [
        IP(src="10.0.101.1", dst="10.0.102.1") / TCP(sport=port, dport=5201, flags="S") for port in range(40000, 41000)
    ]
    crowd, over_tcp = Crowd().joined_by([each for one in short for each in seen(one, 1)], TUNNEL), asked("tcp")
    further = IP(src="10.0.101.1", dst="10.0.102.1") / TCP(sport=50000, dport=5201)
    own = IP(src="10.0.101.1", dst="10.0.102.1") / TCP(sport=50000, dport=over_tcp.port)
    assert not lets_pass(crowd, over_tcp, further) and lets_pass(crowd, over_tcp, own)
    assert lets_pass(crowd, over_tcp, further, translated=True)  # the port of the check may be led there
    assert not lets_pass(crowd, asked("icmp"), further, translated=True)


def test_echoes_are_left_out_where_those_of_the_check_have_their_mark() -> None:
    own = PING / Raw(MARK)
    crowd = Crowd().joined_by(seen(PING, MANY), TUNNEL)
    assert lets_pass(crowd, asked("icmp"), PING) and not lets_pass(crowd, asked("tcp"), PING)
    crowd = crowd.joined_by([*seen(own, 1), *seen(PING, 3 * MANY)], TUNNEL)
    assert not lets_pass(crowd, asked("icmp"), PING) and lets_pass(crowd, asked("icmp"), own)


def test_parts_of_packets_of_another_protocol_are_left_out() -> None:
    part = IP(src="10.0.101.1", dst="10.0.102.1", frag=9, proto=6) / Raw(bytes(64))
    crowd = Crowd().joined_by(seen(part, MANY), TUNNEL)
    assert not lets_pass(crowd, asked("icmp"), part) and lets_pass(crowd, asked("tcp"), part)
    of_datagram = IP(src="10.0.101.1", dst="10.0.102.1", frag=9, proto=17) / Raw(bytes(64))
    assert lets_pass(crowd.joined_by(seen(of_datagram, MANY), TUNNEL), asked("icmp"), of_datagram)  # it may carry it


def test_without_a_crowd_everything_is_looked_at() -> None:
    assert not Crowd() and Crowd().program(None, TUNNEL, False) == EVERYTHING
    assert not Crowd().joined_by([], TUNNEL)
