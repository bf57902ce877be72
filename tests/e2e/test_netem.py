"""`impair:` of a veth: the kernel's netem where there is one, and where there is none, what helps."""

from __future__ import annotations

import pytest

from tests.e2e.labs import PAIR
from tests.e2e.world import World


def with_netem(words: str) -> str:
    return PAIR.replace("addresses: [192.0.2.1/30]", f"addresses: [192.0.2.1/30], impair: {{{words}}}")


DELAYED = with_netem("delay: 40ms")


@pytest.fixture
def able(here: World) -> World:
    """A world whose kernel has netem; where it has none, it says what helps, and takes the lab back."""
    findings = {finding["name"]: finding for finding in here.json("doctor")["findings"]}
    if findings["netem"]["verdict"] != "ok":
        before = here.snapshot()
        said = here.labctl("up", here.file("delayed.yaml", DELAYED), code=3).stderr
        assert "could not make left:eth0 netem delay 40ms" in said and "ENOENT" in said and "modprobe sch_netem" in said
        assert here.snapshot() == before
        assert "modprobe sch_netem" in findings["netem"]["helps"]
        pytest.skip("this kernel has no netem; `make test-kernel` has one")
    return here


def fastest(here: World) -> float:
    """The fastest round trip of some pings, in ms."""
    told = here.labctl("exec", "left", "--", "ping", "-q", "-c", "5", "-i", "0.01", "192.0.2.2").stdout
    return float(told.rpartition("= ")[2].split("/")[0])


def netem_of(here: World) -> str:
    found: str = here.json("status")["namespaces"]["left"]["interfaces"]["eth0"]["netem"]
    return found


def test_a_veth_is_impaired_as_its_file_says_and_follows_it(able: World) -> None:
    file = able.file("pair.yaml", DELAYED)
    able.labctl("up", file)
    assert netem_of(able) == "delay 40ms" and fastest(able) >= 40
    assert "nothing to do" in able.labctl("up", file).stdout
    # The words go there and back: as many as netem has.
    many = "delay: 30ms, jitter: 5ms, loss: 0.1%, duplicate: 1%, corrupt: 0.01%, reorder: 25%, rate: 10mbit"
    able.file("pair.yaml", with_netem(many))
    assert "~ left:eth0 netem delay 30ms jitter 5ms loss 0.1%" in able.labctl("plan", file, code=1).stdout
    able.labctl("up", file)
    assert netem_of(able) == many.replace(":", "").replace(",", "")
    assert "nothing to do" in able.labctl("plan", file).stdout
    able.file("pair.yaml", PAIR)
    assert "- left:eth0 netem" in able.labctl("up", file).stdout
    assert netem_of(able) == "" and fastest(able) < 30
    able.labctl("down")


def test_netem_by_hand_is_drift_and_is_repaired(able: World) -> None:
    file = able.file("pair.yaml", PAIR)
    able.labctl("up", file)
    shown = able.json("impair", "left:eth0", "--delay", "40ms")
    assert shown["out"]["delay"] == 0.04 == able.json("impair", "left:eth0", "--loss", "0.5")["out"]["delay"]
    assert "- left:eth0 netem delay 40ms loss 50%" in able.labctl("status").stdout
    assert "another" not in able.labctl("impair", "left:eth0", "--seed", "1", code=2).stderr
    assert "has no unit" in able.labctl("impair", "left:eth0", "--reset", "--delay", "50", code=2).stderr
    assert "2^33" in able.labctl("impair", "left:eth0", "--delay", "99999999999s", code=2).stderr
    assert able.json("impair", "left:eth0", "--show")["out"]["loss"] == 0.5, "what is refused changes nothing"
    shown = able.json("impair", "left:eth0", "--reset", "--delay", "20ms")
    assert (shown["out"]["delay"], shown["out"]["loss"]) == (0.02, 0.0)
    assert able.json("impair", "left:eth0", "--reset")["out"]["delay"] == 0.0
    assert able.json("status")["drift"] == []
    able.labctl("down")


def test_what_cannot_be_impaired_is_told_with_what_can(here: World) -> None:
    here.labctl("up", here.file("pair.yaml", PAIR))
    said = here.labctl("impair", "left:eth", "--delay", "1ms", code=2).stderr
    assert "left:eth0" in said and len(said.splitlines()) <= 3
    here.labctl("down")
