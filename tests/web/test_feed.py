"""What browsers are sent for which change of a lab."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from labctl.lab.live.watch import Moment
from labctl.live import readings
from labctl.live.advance import advance
from labctl.live.readings import Reading
from labctl.live.state import LabState
from labctl.plan.desired import desired
from labctl.plan.engine_spec import EngineSpec
from labctl.plan.facts import LinkCounters
from labctl.plan.notifications import AllThere, LinkThere
from labctl.plan.steps import StartEngine
from labctl.topology.interface_ref import InterfaceRef
from labctl.topology.load import loads
from labctl.web.document import readable
from labctl.web.feed import Feed, held_back
from tests.e2e.labs import tunnel

TOPOLOGY = loads(tunnel(), "tunnel.yaml")
WAN, TUN = InterfaceRef("siteA", "wan0"), InterfaceRef("siteB", "tun1")


def specs() -> dict[InterfaceRef, EngineSpec]:
    steps = (step for step in desired(TOPOLOGY).steps if isinstance(step, StartEngine))
    return {step.spec.device: step.spec for step in steps}


def links(namespace: str) -> dict[int, LinkThere]:
    tun = "tun0" if namespace == "siteA" else "tun1"
    return {2: LinkThere(2, "wan0", "veth", True, True, 1500), 3: LinkThere(3, tun, "tun", True, True, 1472)}


UP: tuple[Reading, ...] = (
    readings.Written(TOPOLOGY),
    readings.Recorded("root", "", True, ("siteA", "siteB"), specs()),
    *(readings.Told(name, AllThere(links(name), (), (), ())) for name in ("siteA", "siteB")),
    *(readings.Process(device, 7, "running") for device in specs()),
    readings.Compared(()),
)


class Viewer:
    """Who is sent what a feed has to tell."""

    def __init__(self) -> None:
        self.state = LabState("tunnel")
        self.feed = Feed("tunnel")
        self.at = 1_700_000_000.0

    def after(self, *told: Reading, seconds: float = 0.0) -> list[tuple[str, Any]]:
        """Return the events that are sent after some readings."""
        self.at += seconds
        happened: list[tuple[float, Any]] = []
        for reading in told:
            self.state, more = advance(self.state, self.at, reading)
            happened += [(self.at, event) for event in more]
        return events(self.feed.news(Moment(self.state, tuple(happened)), self.at))


def events(sent: bytes) -> list[tuple[str, Any]]:
    found = []
    for block in sent.decode().split("\n\n")[:-1]:
        lines = dict(line.split(": ", 1) for line in block.split("\n"))
        if "event" in lines:
            found.append((lines["event"], json.loads(lines["data"])))
    return found


@pytest.fixture
def viewer() -> Viewer:
    made = Viewer()
    made.after(*UP)
    return made


def test_a_lab_that_comes_up_is_drawn_and_told() -> None:
    sent = Viewer().after(*UP)
    assert [kind for kind, _ in sent] == ["picture", "change", "happened"]
    (_, drawn), (_, change), _ = sent
    assert drawn.startswith("<svg") and "<style" not in drawn
    assert change["phase"] == "up" and "marks" not in change


def test_nothing_is_sent_where_nothing_changes(viewer: Viewer) -> None:
    assert viewer.after() == []
    assert viewer.after(*UP) == []


def test_an_engine_that_ends_marks_itself_and_its_tunnel(viewer: Viewer) -> None:
    (kind, change), (_, [[_, of, words]]) = viewer.after(readings.Process(TUN, 7, "ended"))
    assert (kind, change["dead"]) == ("change", [["siteB:tun1", "engine has ended"]])
    assert change["marks"] == {"engine-siteB:tun1": "dead", "tun-siteA:tun0": "dead"}
    assert (of, words) == ("engine", "siteB:tun1 ended (PID 7)")


def test_a_link_that_is_down_cuts_its_cable_and_what_goes_over_it(viewer: Viewer) -> None:
    down = replace(links("siteA")[2], up=False, carrier=False)
    (_, change), _ = viewer.after(readings.Told("siteA", down))
    assert change["dead"] == [["siteA:wan0", "is down"]]
    assert change["marks"] == {"if-siteA:wan0": "wrong", "link-siteA:wan0": "dead", "tun-siteA:tun0": "dead"}


def test_a_namespace_that_is_gone_is_told_once(viewer: Viewer) -> None:
    (_, change), _ = viewer.after(readings.NamespaceGone("siteB"))
    assert change["dead"] == [["siteB", "is gone"]]
    assert change["marks"]["ns-siteB"] == "gone" and change["marks"]["link-siteA:wan0"] == "dead"


def test_a_host_that_is_lost_is_told_and_what_is_on_it_is_unknown() -> None:
    viewer, hosts = Viewer(), {"srv1": ("siteA",), "srv2": ("siteB",)}
    viewer.after(readings.Written(TOPOLOGY), readings.Spread(hosts, "", True))
    for host, (name,) in hosts.items():
        own = {device: spec for device, spec in specs().items() if device.namespace == name}
        there = (
            readings.Recorded("root", "", True, (name,), own),
            readings.Told(name, AllThere(links(name), (), (), ())),
        )
        viewer.after(*(readings.OnHost(host, each) for each in (*there, readings.Compared(()))))
    _, document, _ = (data for _, data in events(viewer.feed.whole())[:3])
    assert (document["phase"], document["compared"], document["lost"]) == ("up", True, [])
    (_, change), (_, [[_, of, words]]) = viewer.after(readings.HostLost("srv2", "timed out"))
    assert (change["phase"], change["compared"]) == ("mixed", False)
    assert change["lost"] == [["srv2", "timed out"]]
    assert change["marks"] == {"ns-siteB": "unknown", "link-siteA:wan0": "unknown", "tun-siteA:tun0": "unknown"}
    assert (of, words) == ("host", "srv2 is not reached: timed out")


def test_drift_is_marked_where_it_is(viewer: Viewer) -> None:
    one = readings.Difference("siteA:wan0", "MTU 1500", "is 1400", "ip -n siteA link set dev wan0 mtu 1500")
    (_, change), _ = viewer.after(readings.Compared((one,)))
    assert change == {
        "drift": [["siteA:wan0", "MTU 1500", "is 1400", "ip -n siteA link set dev wan0 mtu 1500"]],
        "marks": {"if-siteA:wan0": "wrong"},
    }


def test_another_impairment_is_drawn_anew(viewer: Viewer) -> None:
    (kind, drawn), *_ = viewer.after(readings.Impaired(TUN, {"out": "delay 50ms"}))
    assert kind == "picture" and "out delay 50ms" in drawn
    viewer.after(readings.Impaired(WAN, {"out": "delay 2s jitter 100ms loss 10%"}))
    assert held_back(viewer.state) == pytest.approx(2.15)


def test_rates_are_sent_when_they_differ_to_a_reader(viewer: Viewer) -> None:
    def counted(packets: int) -> Reading:
        return readings.Counted({"siteA": {2: LinkCounters(tx_packets=packets, tx_bytes=100 * packets)}}, {})

    assert viewer.after(counted(0)) == []
    [(_, change)] = viewer.after(counted(1000), seconds=1)
    assert change == {"rates": {"link-siteA:wan0": {"there": [1000, 800_000]}}}
    assert viewer.after(counted(2001), seconds=1) == []


def test_a_lab_that_is_down_keeps_its_picture_and_nothing_is_dead(viewer: Viewer) -> None:
    viewer.after(readings.Process(TUN, 7, "ended"))
    (_, change), _ = viewer.after(readings.NotThere())
    assert change["phase"] == "down" and change["dead"] == []
    kinds = [kind for kind, _ in events(viewer.feed.whole())]
    assert kinds == ["picture", "whole", "happened"]


def test_who_comes_late_knows_as_much_as_who_was_there(viewer: Viewer) -> None:
    viewer.after(readings.Process(TUN, 7, "ended"))
    (_, _), (_, document), (_, told) = events(viewer.feed.whole())
    assert document["marks"]["engine-siteB:tun1"] == "dead"
    assert told[-1][2] == "siteB:tun1 ended (PID 7)"


@pytest.mark.parametrize(
    ("exact", "told"), [(0, 0), (0.2, 1), (1.4, 1), (99.4, 99), (104, 100), (1249, 1200), (98765, 99000)]
)
def test_numbers_are_told_to_two_digits(exact: float, told: int) -> None:
    assert readable(exact) == told
