"""Packets that were seen, as moves along the lines of a picture; and what is claimed of those that were not seen on."""

from __future__ import annotations

import struct
from dataclasses import replace

import pytest

from labctl.live.readings import Packet
from labctl.live.state import LabState
from labctl.report.graph.of_topology import of_topology
from labctl.topology.interface_ref import InterfaceRef
from labctl.topology.load import loads
from labctl.trace.clocks import Clocks
from labctl.trace.ladder import Hop
from labctl.web.facts import KnownFacts
from labctl.web.lines import Lines
from labctl.web.moves import as_json
from labctl.web.sample import PATIENCE, SETTLED, Apart, Sample
from tests.e2e.labs import tunnel

PICTURE = of_topology(loads(tunnel(), "tunnel.yaml"))
LINES = Lines.of(PICTURE)
PORTS = frozenset({9000})
BEGAN = 1_700_000_000.0


FACTS = KnownFacts(LabState("tunnel"), LINES)


def ip(source: str, destination: str, protocol: int, payload: bytes) -> bytes:
    addresses = b"".join(bytes(map(int, each.split("."))) for each in (source, destination))
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(payload), 7, 0, 64, protocol, 0)
    return head + addresses + payload


def echo(kind: int) -> bytes:
    ends = ("10.0.101.1", "10.0.102.1") if kind == 8 else ("10.0.102.1", "10.0.101.1")
    return ip(*ends, 1, struct.pack("!BBHHH", kind, 0, 0, 5, 1) + bytes(8))


def carried(inner: bytes, back: bool) -> bytes:
    ends = ("192.0.2.2", "192.0.2.1") if back else ("192.0.2.1", "192.0.2.2")
    return ip(*ends, 17, struct.pack("!HHHH", 9000, 9000, 8 + len(inner), 0) + inner)


def seen(at: float, place: str, outgoing: bool, packet: bytes, ethernet: bool = False) -> Packet:
    frame = bytes(12) + b"\x08\x00" + packet if ethernet else packet
    return Packet(BEGAN + at, InterfaceRef.typed(place), outgoing, ethernet, len(frame), frame)


def there(at: float) -> list[Packet]:
    """A request from siteA to siteB."""
    return [
        seen(at, "siteA:tun0", True, echo(8)),
        seen(at + 0.001, "siteA:wan0", True, carried(echo(8), False), True),
        seen(at + 0.002, "siteB:wan0", False, carried(echo(8), False), True),
        seen(at + 0.003, "siteB:tun1", False, echo(8)),
    ]


def back(at: float) -> list[Packet]:
    """The reply."""
    return [
        seen(at, "siteB:tun1", True, echo(0)),
        seen(at + 0.001, "siteB:wan0", True, carried(echo(0), True), True),
        seen(at + 0.002, "siteA:wan0", False, carried(echo(0), True), True),
        seen(at + 0.003, "siteA:tun0", False, echo(0)),
    ]


def shown(
    packets: list[Packet], after: float, left_out: bool = False, held: float = 0.0
) -> list[tuple[Hop, dict[str, object] | None]]:
    """How packets end and move that are over so many seconds after the first of them."""
    sample = Sample()
    sample.add(packets, PORTS, left_out)
    found = sample.over(BEGAN + after, held, ("siteA", "siteB"), FACTS)
    return [(ladder.end, as_json(ladder, LINES, None)) for ladder in found]


def test_a_packet_and_its_answer_move_along_the_tunnel_and_not_along_the_cable_in_it() -> None:
    asked, answered = shown(there(0) + back(0.01), SETTLED + 0.02)
    assert asked == (
        Hop.ACCEPTED,
        {"legs": [{"line": "tun-siteA:tun0", "back": False, "ms": 3.0}], "kind": "ICMP", "lost": False},
    )
    assert answered[1] is not None
    assert answered[1]["legs"] == [{"line": "tun-siteA:tun0", "back": True, "ms": 3.0}]


@pytest.mark.parametrize("behind", [0.0, 0.002])
def test_what_two_hosts_have_seen_moves_as_what_one_has_seen(behind: float) -> None:
    """Whichever tells first, and where the clock of one is behind by less than is known of it."""
    packets = there(0) + back(0.01)
    there_, here = ([one for one in packets if one.place.namespace == name] for name in ("siteB", "siteA"))
    hosts, ends = {"siteA": "srv1", "siteB": "srv2"}, (InterfaceRef("siteA", "wan0"), InterfaceRef("siteB", "wan0"))
    known = Clocks({"srv1": 0, "srv2": 0}, {("srv1", "srv2"): 5_000_000, ("srv2", "srv1"): 5_000_000})
    sample = Sample()
    sample.add([replace(one, at=one.at - behind) for one in there_], PORTS, False)
    sample.add(here, PORTS, False)
    sample.order(Apart(hosts, dict(zip(ends, reversed(ends), strict=True)), known))
    asked, answered = sample.over(BEGAN + SETTLED + 0.02, 0.0, ("siteA", "siteB"), FACTS)
    assert (asked.end, answered.answer_to) == (Hop.ACCEPTED, asked.number)
    move = as_json(asked, LINES, None)
    assert move is not None and move["legs"] == [{"line": "tun-siteA:tun0", "back": False, "ms": 3.0 - 1000 * behind}]


def test_a_packet_waits_for_its_answer() -> None:
    assert shown(there(0) + back(0.01), 0.02) == []
    assert shown(there(0), PATIENCE - 0.1) == []


def test_a_packet_without_an_answer_has_arrived_and_is_lost_there() -> None:
    [(end, move)] = shown(there(0), PATIENCE + 0.1)
    assert end is Hop.LOST
    assert move is not None and move["lost"] and move["legs"] == [{"line": "tun-siteA:tun0", "back": False, "ms": 3.0}]


def test_a_packet_that_is_held_back_is_waited_for() -> None:
    assert shown(there(0)[:1], PATIENCE + 0.1, held=2.0) == []
    assert [end for end, _ in shown(there(0)[:1], PATIENCE + 2.1, held=2.0)] == [Hop.LOST]


def test_a_packet_goes_as_far_as_it_was_seen() -> None:
    [(end, move)] = shown(there(0)[:3], PATIENCE + 0.1)
    assert end is Hop.LOST and move is not None
    assert move["legs"] == [{"line": "tun-siteA:tun0", "back": False, "ms": 2.0, "until": "siteB:wan0"}]


def test_a_packet_that_left_over_a_cable_and_was_not_seen_to_arrive_is_lost_on_it() -> None:
    bare = ip("192.0.2.1", "192.0.2.2", 1, struct.pack("!BBHHH", 8, 0, 0, 5, 1) + bytes(8))
    [(_, move)] = shown([seen(0, "siteA:wan0", True, bare, True)], PATIENCE + 0.1)
    assert move is not None
    assert move["legs"] == [{"line": "link-siteA:wan0", "back": False, "ms": 0.0, "until": "siteA:wan0"}]


def test_of_a_sample_that_was_cut_nothing_is_lost() -> None:
    assert shown(there(0)[:3], PATIENCE + 0.1, left_out=True) == []
    assert len(shown(there(0) + back(0.01), PATIENCE + 0.1, left_out=True)) == 2


def test_what_was_shown_is_forgotten_and_so_is_what_is_old() -> None:
    sample = Sample()
    sample.add(there(0) + back(0.01), PORTS, False)
    assert len(sample.over(BEGAN + 0.2, 0.0, ("siteA", "siteB"), FACTS)) == 2
    assert sample.over(BEGAN + 9, 0.0, ("siteA", "siteB"), FACTS) == []
    sample.add(there(10)[:2], PORTS, True)
    assert sample.over(BEGAN + 12, 0.0, ("siteA", "siteB"), FACTS) == []
    sample.add(there(13)[2:], PORTS, False)
    [late] = sample.over(BEGAN + 15, 0.0, ("siteA", "siteB"), FACTS)
    assert late.journey.first.station.ref == InterfaceRef("siteB", "wan0")
