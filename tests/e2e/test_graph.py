"""Pictures of running labs: what is dead or differs from the file is red, whatever made it so."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.e2e.conftest import possible
from tests.e2e.labs import PAIR, tunnel
from tests.e2e.world import World, eventually, world

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module", params=["root", "rootless"])
def here(request: pytest.FixtureRequest) -> Iterator[World]:
    possible(request.param)
    with world(request.param) as made:
        made.labctl("up", made.file("tunnel.yaml", tunnel()))
        yield made
        made.labctl("down")


@pytest.fixture
def lab(here: World) -> Iterator[World]:
    yield here
    here.labctl("up", "tunnel.yaml")


def drawn(here: World) -> ElementTree.Element:
    return ElementTree.fromstring(here.labctl("graph", "--as", "svg").stdout)


def one(top: ElementTree.Element, name: str) -> ElementTree.Element:
    [found] = [each for each in top.iter() if each.get("id") == name]
    return found


def classes(top: ElementTree.Element, name: str) -> set[str]:
    return set(one(top, name).attrib["class"].split())


def faults(top: ElementTree.Element, name: str) -> list[str | None]:
    return [each.text for each in one(top, name).iter(f"{SVG}text") if each.get("class") == "fault"]


def test_a_lab_that_is_as_its_file_says_has_nothing_red(lab: World) -> None:
    top = drawn(lab)
    red = {"dead", "wrong", "gone", "fault", "differs"}
    for each in top.iter():
        assert not red & set(each.get("class", "").split()) or "swatch" in each.attrib["class"], each.attrib
    assert f"running ({lab.mode}), as its file says" in {each.text for each in top.iter(f"{SVG}text")}


def test_a_running_lab_is_drawn_by_its_name_where_no_file_has_it(lab: World) -> None:
    assert lab.labctl("graph", "tunnel").stdout == lab.labctl("graph").stdout
    assert "no shipped topology 'tunnels'" in lab.labctl("graph", "tunnels", code=2).stderr


def test_a_link_that_is_down_is_dead_with_all_that_it_carries(lab: World) -> None:
    lab.labctl("exec", "siteB", "--", "ip", "link", "set", "wan0", "down")
    top = drawn(lab)
    assert faults(top, "if-siteB:wan0") == ["is down"]
    assert faults(top, "if-siteA:wan0") == ["has no carrier"]
    assert "dead" in classes(top, "link-siteA:wan0")
    assert "dead" in classes(top, "tun-siteA:tun0")
    assert "wrong" not in classes(top, "if-siteA:tun0")


def test_an_engine_that_has_ended_is_dead(lab: World) -> None:
    [engine] = [each for each in lab.json("status")["engines"] if each["device"] == "siteB:tun1"]
    [pid] = lab.processes_titled("tun1")
    os.kill(pid, signal.SIGKILL)
    eventually(lambda: not lab.processes_titled("tun1"), f"{engine['command']} has ended")
    top = drawn(lab)
    assert "dead" in classes(top, "engine-siteB:tun1") and "dead" in classes(top, "tun-siteA:tun0")
    assert "has ended" in faults(top, "if-siteB:tun1")
    assert "dead" not in classes(top, "engine-siteA:tun0") and "dead" not in classes(top, "link-siteA:wan0")


def test_an_engine_that_is_stopped_is_dead(lab: World) -> None:
    [pid] = lab.processes_titled("tun1")
    os.kill(pid, signal.SIGSTOP)
    top = drawn(lab)
    assert "dead" in classes(top, "engine-siteB:tun1") and faults(top, "if-siteB:tun1") == ["is stopped"]


def test_what_was_changed_by_hand_is_told(lab: World) -> None:
    for command in (
        "siteA ip addr add 10.7.7.7/24 dev wan0",
        "siteA ip route add 10.9.0.0/16 dev wan0",
        "siteB ip addr del 10.0.102.1/24 dev tun1",
        "siteB ip link add extra0 type bridge",
    ):
        namespace, *words = command.split()
        lab.labctl("exec", namespace, "--", *words)
    top = drawn(lab)
    assert faults(top, "if-siteA:wan0") == ["address 10.7.7.7/24 is not in the file"]
    assert faults(top, "ns-siteA") == ["route 10.9.0.0/16 dev wan0 is not in the", "file"]
    assert faults(top, "if-siteB:tun1") == ["address 10.0.102.1/24 is not there"]
    assert faults(top, "if-siteB:extra0") == ["is not in the file"]
    assert "dead" not in classes(top, "tun-siteA:tun0")


def test_a_cable_that_is_gone_is_drawn_where_it_should_be(lab: World) -> None:
    lab.labctl("exec", "siteA", "--", "ip", "link", "del", "wan0")
    top = drawn(lab)
    assert "dead" in classes(top, "link-siteA:wan0")
    assert faults(top, "if-siteA:wan0") == faults(top, "if-siteB:wan0") == ["is not there"]


def test_an_impairment_in_force_is_shown_and_that_the_file_has_none(lab: World) -> None:
    lab.labctl("impair", "siteA:tun0", "--delay", "50ms")
    top = drawn(lab)
    row = one(top, "if-siteA:tun0")
    assert [each.text for each in row.iter(f"{SVG}text") if each.get("class") == "impaired"] == ["out delay 50ms"]
    assert faults(top, "if-siteA:tun0") == ["should be: out none"]
    assert "dead" not in classes(top, "tun-siteA:tun0")


def test_a_running_lab_is_written_in_every_language(lab: World) -> None:
    for suffix, begins in (("svg", "<svg"), ("html", "<!DOCTYPE html>"), ("mmd", "flowchart"), ("dot", "graph")):
        assert f"wrote lab.{suffix}" in lab.labctl("graph", "-o", f"lab.{suffix}").stdout
        assert Path(lab.home, f"lab.{suffix}").read_text().startswith(begins)


def test_a_picture_is_json_too(lab: World) -> None:
    picture = lab.json("graph", "--as", "dot")
    assert picture == {"lab": "tunnel", "as": "dot", "file": "", "picture": lab.labctl("graph", "--as", "dot").stdout}


def test_a_file_is_drawn_and_nothing_is_made(as_user: World) -> None:
    before = as_user.snapshot()
    assert as_user.labctl("graph", as_user.file("pair.yaml", PAIR)).stdout.startswith("flowchart LR")
    assert as_user.snapshot() == before


def test_what_cannot_be_drawn_is_refused_in_words(as_user: World) -> None:
    as_user.file("pair.yaml", PAIR)
    assert "no lab named nowhere" in as_user.labctl("graph", "-l", "nowhere", code=2).stderr
    assert "is not clear" in as_user.labctl("graph", "pair.yaml", "-o", "pair.png", code=2).stderr
    assert "cannot be written" in as_user.labctl("graph", "pair.yaml", "-o", "no/such/pair.svg", code=2).stderr
    assert "not both" in as_user.labctl("graph", "pair.yaml", "-l", "pair", code=2).stderr
