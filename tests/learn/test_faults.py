"""Every fault that a challenge may hide: it shows in the check that it claims, is diagnosed rightly, and can be mended.

In CI each is tried at one place, in one mode by turns; `make challenges` plays each as a challenge three times, in
every lab that ships and can have it, in both modes.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import pytest

from labctl.learn.challenges.choice import choose, fitting, placed
from labctl.learn.changes import Impair, Restart, Run
from labctl.learn.faults import FAULTS
from labctl.learn.faults.fault import LEVELS
from labctl.learn.faults.layout import Layout
from labctl.topology.model import Topology
from labctl.topology.shipped import names
from tests.e2e.world import SUITE_IS_ROOT, world

TURNS = int(os.environ.get("CHALLENGES", "0"))
"""How often each is played as a challenge."""

MOST = 9
"""Faults that are tried in one lab in CI, where several run at once."""

LAYOUTS = {name: Layout(Topology.load(name)) for name in names()}
MODES = ("root", "rootless") if SUITE_IS_ROOT else ("rootless",)


def able(name: str) -> list[str]:
    """Return the faults that a lab can have."""
    return [fault.name for fault, _ in fitting(LAYOUTS[name])]


def jobs() -> Iterator[tuple[str, str, int, tuple[str, ...]]]:
    """Yield labs with a mode, a seed, and faults to try in them."""
    if TURNS:
        yield from ((name, mode, turn, tuple(able(name)))
                    for name in LAYOUTS if able(name) for mode in MODES for turn in range(1, TURNS + 1))  # fmt: skip
        return
    first = ("two-site", "static-routing", "switched-lan", *LAYOUTS)
    by_lab: dict[tuple[str, str], list[str]] = defaultdict(list)
    for number, fault in enumerate(FAULTS):
        name = next(name for name in first if fault.name in able(name))
        by_lab[name, MODES[number % len(MODES)]].append(fault.name)
    for (name, mode), faults in by_lab.items():
        parts = [faults[first : first + MOST] for first in range(0, len(faults), MOST)]
        yield from ((name, mode, 16, tuple(part)) for part in parts)


@pytest.mark.timeout(3600 if TURNS else 300)
@pytest.mark.parametrize(("lab", "mode", "seed", "faults"), list(jobs()), ids=lambda value: str(value)[:16])
def test_a_fault_shows_is_diagnosed_and_is_mended(lab: str, mode: str, seed: int, faults: tuple[str, ...]) -> None:
    found = played(mode, lab, seed, faults, *(["--whole"] if TURNS else []))
    if TURNS:
        assert all(one["solved"] and one["stages"] == [1, 2, 3] for one in found)


@pytest.mark.skipif(not TURNS, reason="make challenges; tests/e2e/test_challenge.py plays one")
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("lab", [name for name in LAYOUTS if len(able(name)) > 1])
def test_of_two_faults_one_is_hinted_after_the_other(mode: str, lab: str) -> None:
    pairs = (choose(LAYOUTS[lab], seed, 3) for seed in range(60))
    first = dict.fromkeys(pair[0].fault.name for pair in pairs if len(pair) == 2)
    assert all(one["solved"] for one in played(mode, lab, TURNS, tuple(first)[:8], "--pairs"))


def played(mode: str, lab: str, seed: int, faults: tuple[str, ...], *options: str) -> list[dict[str, Any]]:
    """Return what has become of each fault in a lab. Assert that each has shown, was named rightly, and was mended."""
    words = [sys.executable, "-m", "tests.learn.bed", lab, str(seed), *faults, *options]
    with world(mode) as here, here.start(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as bed:
        out, err = bed.communicate()
    found: list[dict[str, Any]] = [json.loads(line) for line in out.splitlines()]
    assert [one["fault"] for one in found] == list(faults), err
    wrong = [one for one in found if not (one["shows"] and one["mended"] and one["right"]) or one["drift"]]
    assert wrong == [], json.dumps(wrong, indent=1)
    return found


def test_there_are_enough_faults_of_every_level() -> None:
    assert len(FAULTS) >= 24 and len({fault.name for fault in FAULTS}) == len(FAULTS)
    assert len(able("two-site")) >= 16
    assert {fault.name for fault in FAULTS} == {one for name in LAYOUTS for one in able(name)}
    for level in LEVELS:
        assert len(fitting(LAYOUTS["two-site"], level)) >= 5
    for name in ("static-routing", "switched-lan", "dual-stack", "firewall", "nat-gateway", "web-dns"):
        assert len(able(name)) >= 12, name


@pytest.mark.parametrize("name", [name for name in LAYOUTS if len(able(name)) > 1])
def test_a_seed_says_which_fault_where_and_how(name: str) -> None:
    for level in LEVELS:
        drawn = [choose(LAYOUTS[name], seed, level) for seed in range(24)]
        assert drawn == [choose(Layout(Topology.load(name)), seed, level) for seed in range(24)]
        assert len({tuple(one.fault.name for one in each) for each in drawn}) > 2
        assert {one.fault.level for each in drawn if len(each) == 1 for one in each} == {level}
        assert {len(each) for each in drawn} <= ({1, 2} if level == 3 else {1})
        for pair in (each for each in drawn if len(each) == 2):
            spaces = [{hop.partition(":")[0] for hop, _ in one.injected.expected} for one in pair]
            assert pair[0].fault != pair[1].fault and all(spaces)


def test_a_lab_of_other_names_and_addresses_has_the_same_faults() -> None:
    topology = Topology.load("two-site")
    text = topology.as_record()
    for known, other in (("siteA", "left"), ("siteB", "right"), ("10.0.", "172.20."), ("tun1", "vpn9")):
        text = text.replace(known, other)
    other_layout = Layout(Topology.of_record(text))
    assert [fault.name for fault, _ in fitting(other_layout)] == able("two-site")
    assert not re.search(r"siteA|10\.0\.|tun1", str([places for _, places in fitting(other_layout)]))


TELLTALE = re.compile(r"\s#|comment|alias|(?<!de)fault|challenge|labctl|broken|wrong|hidden", re.IGNORECASE)


@pytest.mark.parametrize("name", LAYOUTS)
def test_nothing_of_a_fault_says_that_it_is_one(name: str) -> None:
    for fault, places in fitting(LAYOUTS[name]):
        for place in places:
            for change in place.changes:
                assert isinstance(change, Run | Impair | Restart)
                line = change.line if isinstance(change, Run) else str(change)
                assert not TELLTALE.search(line), f"{fault.name}: {line}"
                assert fault.name not in line


def test_the_check_of_a_fault_is_one_of_the_lab() -> None:
    for layout in LAYOUTS.values():
        checks = {check.name for check in layout.topology.checks}
        spaces = set(layout.topology.namespaces)
        for _, places in fitting(layout):
            for place in places:
                assert place.check in checks and place.solve
                assert {hop.partition(":")[0] for hop, _ in place.expected} <= spaces


def test_a_fault_is_placed_by_its_name_and_a_seed() -> None:
    topology = Topology.load("two-site")
    found = {str(placed(topology, "engine-ended", seed).injected.changes) for seed in range(20)}
    assert len(found) > 1
