"""What a screen of `labctl watch` shows of a lab, at any size."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labctl.engine.packets.address import Address
from labctl.live import readings as r
from labctl.live.advance import advance
from labctl.live.events import LinkEvent
from labctl.live.state import LabState
from labctl.plan import notifications as n
from labctl.plan.engine_spec import EngineSpec
from labctl.plan.facts import LinkCounters
from labctl.report.watch import sections
from labctl.report.watch.layout import shares
from labctl.report.watch.quantities import bars, short
from labctl.report.watch.screen import screen
from labctl.report.watch.sections import Shown
from labctl.topology.interface_ref import InterfaceRef
from labctl.topology.program_ref import ProgramRef


def lab(namespaces: int) -> LabState:
    """A lab of some namespaces, each with a cable and a tunnel, of which the last carries something."""
    names = tuple(f"n{number}" for number in range(namespaces))
    devices = [InterfaceRef(name, "tun0") for name in names]
    specs = {one: EngineSpec(one, Address("10.0.0.1", 9000), Address("10.0.0.2", 9000)) for one in devices}
    links = {
        2: n.LinkThere(2, "wan0", "veth", True, True, 1500),
        3: n.LinkThere(3, "tun0", "tun", True, True, 1472),
    }
    changes: list[r.Reading] = [r.Recorded("root", "/lab.yaml", True, names, specs)]
    changes += [r.Told(name, n.AllThere(links, (), (), ())) for name in names]
    changes += [r.Process(device, 7, "running") for device in devices]
    for sample in range(3):
        busy = LinkCounters(rx_packets=1000 * sample, rx_bytes=10**6 * sample)
        quiet = LinkCounters()
        counted = {name: {2: busy if name == names[-1] else quiet, 3: quiet} for name in names}
        changes.append(r.Counted(counted, {device: {"out_refused": 3} for device in devices[:1]}))
    state = LabState("lab")
    for reading in changes:
        state, _ = advance(state, state.at + 1, reading)
    return state


def shown(state: LabState, width: int = 80, height: int = 24, **what: object) -> list[str]:
    lines = screen(state, replace(Shown(width=width), **what), height, "lab.yaml")  # type: ignore[arg-type]
    return [line.plain.rstrip() for line in lines]


SMALL, LARGE = lab(2), lab(100)


@given(st.lists(st.integers(0, 50), max_size=8), st.integers(0, 60))
def test_lines_are_shared_and_none_is_left_while_one_is_wanted(wanted: list[int], height: int) -> None:
    given_ = shares(wanted, height)
    assert all(0 <= share <= want for share, want in zip(given_, wanted, strict=True))
    assert sum(given_) <= height
    if sum(wanted) <= height:
        assert given_ == wanted


@given(st.integers(1, 200), st.integers(1, 70), st.booleans(), st.booleans(), st.sampled_from([SMALL, LARGE]))
def test_a_screen_is_never_larger_than_its_terminal(
    width: int, height: int, checks: bool, packets: bool, state: LabState
) -> None:
    lines = shown(state, width, height, checks=checks, packets=packets)
    assert len(lines) == height
    assert max(map(len, lines)) <= width


def test_a_host_that_is_lost_is_shown_as_such_and_nothing_on_it_as_fine() -> None:
    hosts = {"srv1": ("n0",), "srv2": ("n1",)}
    link = n.LinkThere(2, "wan0", "tun", True, True, 1434)
    readings: list[r.Reading] = [r.Spread(hosts, "/lab.yaml", True)]
    for host, (name,) in hosts.items():
        there = (r.Recorded("root", "", True, (name,), {}), r.Told(name, n.AllThere({2: link}, (), (), ())))
        readings += [r.OnHost(host, each) for each in there]
    state = LabState("lab")
    for reading in readings:
        state, _ = advance(state, state.at + 1, reading)
    assert [line.split() for line in shown(state)[1:4]] == [
        ["2", "hosts"],
        ["srv1", "up", "n0"],
        ["srv2", "up", "n1"],
    ]
    state, _ = advance(state, state.at + 1, r.HostLost("srv2", "no route to host"))
    lines = shown(state)
    assert lines[0].startswith("lab is up on srv1 only")
    assert [line.split(maxsplit=2) for line in lines[1:4]] == [
        ["2", "hosts,", "1 not reached"],
        ["srv1", "up", "n0"],
        ["srv2", "lost", "no route to host"],
    ]
    assert "n1                    not known: srv2 is not reached" in lines
    assert not any("n1:wan0" in line for line in lines)


def test_of_a_small_lab_all_is_shown_in_its_order() -> None:
    lines = shown(SMALL, width=100)
    assert lines[0].startswith("lab up  root  lab.yaml")
    assert [line.split()[0] for line in lines[2:6]] == ["n0:wan0", "n0:tun0", "n1:wan0", "n1:tun0"]
    assert "not shown" not in "\n".join(lines)
    assert "n0:tun0               3 packets refused by the peer's host: no program has that port" in lines


def test_of_a_large_lab_what_tells_most_is_shown_and_how_much_is_not() -> None:
    broken, _ = advance(LARGE, LARGE.at, r.Told("n50", n.LinkThere(2, "wan0", "veth", True, False, 1500)))
    broken, _ = advance(broken, LARGE.at, r.Process(InterfaceRef("n60", "tun0"), 7, "ended"))
    lines = shown(broken, events=((LARGE.at, LinkEvent("mtu", "n70:tun0", "1500", "1400")),))
    text = "\n".join(lines)
    assert lines[1].startswith("100 namespaces, 200 interfaces, 19") and "not shown" in lines[1]
    for told in ("n50:wan0              no carrier", "n60:tun0              ended", "n70:tun0", "n99:wan0"):
        assert told in text


def test_a_lab_that_is_down_is_waited_for() -> None:
    down, _ = advance(SMALL, SMALL.at, r.NotThere())
    assert shown(down)[0].startswith("lab is down, waiting")


def test_checks_that_fail_come_with_why() -> None:
    state = SMALL
    for name, verdict, why in (("one", "passed", ""), ("two", "failed", "n0:wan0: is down"), ("three", "passed", "")):
        state, _ = advance(state, state.at, r.Checked(name, verdict, "1 sent, no reply", why))  # type: ignore[arg-type]
    lines = shown(state, checks=True)
    place = lines.index("checks: 1 of 3 did not pass")
    assert lines[place + 1] == "FAIL two               n0:wan0: is down"
    assert lines[place + 2] == "pass one, three"
    assert "FAIL" not in "\n".join(shown(state))


def test_packets_are_shown_in_words() -> None:
    echo = bytes.fromhex("4500001c00000000400166df0a0000010a0000020800f7ff00000000")
    packet = r.Packet(SMALL.at, InterfaceRef("n0", "tun0"), True, False, len(echo), echo)
    state, _ = advance(SMALL, SMALL.at, r.Packets((packet,), 5))
    text = "\n".join(shown(state, width=100, packets=True))
    assert "packets: a sample, 5 left out" in text
    assert "n0:tun0               out  10.0.0.1 > 10.0.0.2 ICMP echo request, 28 bytes" in text


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0"),
        (0.3, "<1"),
        (7.6, "8"),
        (999.4, "999"),
        (999.6, "1.0k"),
        (9949, "9.9k"),
        (9951, "10k"),
        (3.4e9, "3.4G"),
    ],
)
def test_numbers_are_short(number: float, text: str) -> None:
    assert short(number) == text


@given(st.floats(0, 1e20))
def test_any_number_fits_into_its_column(number: float) -> None:
    assert len(short(number)) <= 5


@given(st.lists(st.floats(0, 1e12)), st.integers(0, 80), st.booleans())
def test_bars_have_their_width_and_what_is_not_zero_is_seen(numbers: list[float], width: int, ascii_only: bool) -> None:
    drawn = bars(numbers, width, ascii_only=ascii_only)
    assert len(drawn) == width
    assert [bar != " " for bar in drawn[width - min(width, len(numbers)) :]] == [
        number > 0 for number in numbers[len(numbers) - min(width, len(numbers)) :]
    ]
    assert drawn.isascii() or not ascii_only


@given(st.text("ab-", min_size=1, max_size=40), st.text("xy0", min_size=1, max_size=15))
def test_a_long_name_keeps_its_column_and_its_interface(namespace: str, interface: str) -> None:
    fitted = sections._fitted(f"{namespace}:{interface}")
    assert len(fitted) == sections.NAME and fitted.endswith(" ")
    assert fitted.rstrip().endswith(f":{interface}")


def test_programs_are_shown_with_how_they_ended() -> None:
    web, db = ProgramRef("n0", "web"), ProgramRef("n0", "db")
    record = r.Recorded("root", "/lab.yaml", True, ("n0",), {}, {web: "httpd -f", db: "postgres"})
    state = LabState("lab")
    seen = (r.ProgramSeen(web, "running", 7, 2, ""), r.ProgramSeen(db, "ended", 0, 0, "ended with exit code 3"))
    for reading in (record, *seen):
        state, _ = advance(state, 1.0, reading)
    lines = shown(state, width=100)
    place = lines.index("2 programs")
    assert lines[place + 1] == "n0:web                running    httpd -f  started again 2 times"
    assert lines[place + 2] == "n0:db                 ended      ended with exit code 3"
