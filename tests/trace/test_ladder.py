"""What a ladder concludes from sightings, and what it does not."""

from __future__ import annotations

from typing import Any

from scapy.layers.inet import ICMP, IP, UDP
from scapy.layers.l2 import Ether
from scapy.packet import Raw

from labctl.kernel.packet_taps import PacketType, Seen
from labctl.topology.interface_ref import InterfaceRef
from labctl.trace.dissect import Packet
from labctl.trace.journeys import journeys
from labctl.trace.ladder import MISSED, Ladder, ladders, uncertain
from labctl.trace.sightings import sightings


class Facts:
    """A lab of which these facts are known."""

    def __init__(self, **known: Any) -> None:
        self.known = known

    def route(self, namespace: str, packet: Packet, arrived: str) -> str:
        kind = "" if namespace in self.known.get("forwards", ()) else "local "
        return f"{kind}{packet.destination} from {arrived or 'here'}"

    def refusal(self, namespace: str, packet: Packet, arrived: str) -> str:
        return str(self.known.get("refusals", {}).get(namespace, ""))

    def receiver(self, leaving: InterfaceRef) -> InterfaceRef | None:
        return InterfaceRef("b", "eth0")

    def engine(self, device: InterfaceRef) -> str | None:
        engines: dict[str, str] = self.known.get("engines", {})
        return engines.get(str(device))

    def reader(self, namespace: str, port: int) -> InterfaceRef | None:
        found = [InterfaceRef.typed(each) for each in self.known.get("engines", {})]
        return next((each for each in found if each.namespace == namespace and port == 9000), None)

    def cable(self, arriving: InterfaceRef) -> str:
        cables: dict[str, str] = self.known.get("cables", {})
        return cables.get(str(arriving), "")

    def cable_loss(self, leaving: InterfaceRef) -> str:
        return str(self.known.get("loss", ""))

    def within(self, one: str, other: str) -> int:
        return 150_000 if one != other and self.known.get("cables") else 0

    def bridge(self, port: InterfaceRef) -> str:
        return "bridge br0" if port.namespace == "sw" and port.interface.startswith("p") else ""


def seen(*frames: tuple[Any, ...]) -> list[Seen]:
    found = []
    for number, (place, packet, *kinds) in enumerate(frames):
        ref, direction = place.split()
        namespace, interface = ref.split(":")
        kind = kinds[0] if kinds else PacketType.OUTGOING if direction == "out" else PacketType.HOST
        data = bytes(packet)
        found.append(Seen(number * 1000, namespace, interface, kind, isinstance(packet, Ether), len(data), data))
    return found


def of(frames: list[Seen], **known: Any) -> list[Ladder]:
    return ladders(journeys(sightings(frames, {9000})), Facts(**known))


def last(ladder: Ladder) -> tuple[str, str, str]:
    rung = ladder.rungs[-1]
    return rung.hop, f"{rung.namespace}:{rung.interface}", rung.words


PING = Ether(dst="02:00:00:00:00:02") / IP(src="10.0.0.1", dst="10.0.0.2", id=7) / ICMP(id=1, seq=1)
ECHO = Ether() / IP(src="10.0.0.2", dst="10.0.0.1", id=8) / ICMP(type=0, id=1, seq=1)
FLOOD = [
    ("a:eth0 out", PING),
    ("sw:p1 in", PING, PacketType.OTHERHOST),
    ("sw:p2 out", PING),
    ("b:eth0 in", PING),
    ("sw:p3 out", PING),
    ("c:eth0 in", PING, PacketType.OTHERHOST),
]


def test_a_flooded_packet_ends_at_the_host_that_it_is_for() -> None:
    (ladder,) = of(seen(*FLOOD), refusals={"c": "it is not for c"})
    assert last(ladder) == ("lost", "b:", "it came in, and no answer was seen")
    answered = of(seen(*FLOOD, ("b:eth0 out", ECHO)))
    assert last(answered[0]) == ("accepted", "b:", "answered by packet 2") and answered[1].answer_to == 1


def test_a_frame_for_another_host_is_dropped_where_it_came() -> None:
    (ladder,) = of(seen(FLOOD[0], ("b:eth0 in", PING, PacketType.OTHERHOST)))
    assert last(ladder) == ("dropped", "b:eth0", "its frame is for 02:00:00:00:00:02, which is another host")


def test_what_a_bridge_does_not_pass_on_is_lost_in_it() -> None:
    (ladder,) = of(seen(*FLOOD[:2]), refusals={"sw": "it is not for sw"})
    assert last(ladder) == ("lost", "sw:", "came in at a port of bridge br0, not seen leaving by another")


def test_a_packet_that_a_host_passes_on_does_not_end_there() -> None:
    onward = PING.copy()
    onward[IP].ttl = 63
    (ladder,) = of(seen(("r:one in", PING), ("r:two out", onward)), refusals={"r": "it is not for r"})
    assert [rung.hop for rung in ladder.rungs] == ["received", "forwarded", "transmitted", "lost"]
    assert last(ladder)[2] == "last seen leaving r:two, not seen at b:eth0"


def test_an_engine_is_asked_about_what_it_does_not_pass_on() -> None:
    inner = PING[IP]
    outer = Ether() / IP(src="10.0.1.1", dst="10.0.2.1") / UDP(sport=9000, dport=9000) / Raw(bytes(inner))
    way = [("a:tun0 out", inner), ("a:wan0 out", outer), ("b:wan0 in", outer)]
    engines = {"a:tun0": "it is stopped", "b:tun1": ""}
    assert last(of(seen(*way[:1]), engines=engines)[0]) == (
        "lost", "a:tun0", "last seen as the engine of a:tun0 was to read it; it is stopped"
    )  # fmt: skip
    assert last(of(seen(*way), engines=engines)[0]) == (
        "lost",
        "b:tun1",
        "the engine of b:tun1 was not seen to write it",
    )
    assert last(of(seen(*way))[0]) == ("lost", "b:", "no engine of b was seen to write it")


def test_an_answer_may_come_after_very_many_other_packets() -> None:
    """Echo requests every 2 ms, over a way that takes half a second."""
    requests = [PING.copy() for _ in range(250)]
    replies = [ECHO.copy() for _ in requests]
    for number, packet in enumerate([*requests, *replies]):
        packet[IP].id, packet[ICMP].seq = number + 1, number % len(requests)
    found = of(seen(*(("b:eth0 in", each) for each in requests), *(("b:eth0 out", each) for each in replies)))
    assert [ladder.answer_to for ladder in found] == [None] * 250 + [*range(1, 251)]
    assert {ladder.end for ladder in found[:250]} == {"accepted"}


def test_what_asks_for_no_answer_is_received() -> None:
    (ladder,) = of(seen(("b:eth0 out", ECHO), ("a:eth0 in", ECHO)))
    assert ladder.end == "received"


def test_times_count_from_the_first_packet_of_all() -> None:
    one, other = of(seen(*FLOOD, ("b:eth0 out", ECHO)))
    assert [rung.at for rung in (one.rungs[0], other.rungs[0])] == [0, 6000]


def test_where_frames_were_missed_nothing_is_lost_for_certain() -> None:
    error = Ether() / IP(src="10.0.0.9", dst="10.0.0.1") / ICMP(type=3, code=1) / Raw(bytes(PING[IP]))
    one, other = of(seen(*FLOOD)), of(seen(FLOOD[0], ("r:eth0 out", error)))
    found = (*uncertain(one, MISSED), *uncertain(other, MISSED))
    assert [last(each)[0] for each in found] == ["unknown", "dropped", "unknown"]


def test_what_is_to_be_forwarded_and_was_not_seen_leaving_is_lost() -> None:
    (ladder,) = of(seen(("r:one in", PING)), forwards=["r"])
    assert last(ladder) == ("lost", "r:", "it came in, not seen leaving by 10.0.0.2 from one")
