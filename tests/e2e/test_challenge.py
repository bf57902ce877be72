"""A challenge from its beginning to its end: nothing gives it away, hints help, and any repair counts."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from labctl.learn.challenges.choice import Placed, choose
from labctl.learn.changes import Impair, Restart, Run
from labctl.learn.faults.fault import as_level
from labctl.learn.faults.layout import Layout
from labctl.topology.model import Topology
from tests.diagnosis.by_hand import text_of
from tests.docs.pages import json_keys
from tests.e2e.world import World, eventually

ROUTE, PAIR, ENGINE, REFUSED = (2, 7), (3, 8), (1, 5), 2
"""Levels with seeds of which this is known: a wrong next hop, two faults, an engine that was killed."""


def faults_of(level: int, seed: int) -> tuple[Placed, ...]:
    """Return what a challenge hides."""
    return choose(Layout(Topology.loads(text_of("two-site"))), seed, as_level(level))


def begin(here: World, level: int, seed: int) -> Any:
    """Begin a challenge in a lab whose checks do not wait for long."""
    file = here.file("two-site.yaml", text_of("two-site"))
    return here.json("challenge", file, "--level", str(level), "--seed", str(seed))


def mend(here: World, one: Placed) -> None:
    """Do what mends a fault, by hand."""
    for change in one.injected.solve:
        match change:
            case Run(namespace, line):
                here.labctl("exec", namespace, "--", "sh", "-c", line)
            case Restart(name):
                here.labctl("restart", name)
            case Impair(device, _):
                here.labctl("impair", device, "--reset")


def solved(here: World) -> Any:
    """Return what `verify` says once every check passes; a neighbour may have to be asked anew."""

    def verified() -> Any:
        found = here.json("verify", code=None)
        return found if found["passed"] else None

    return eventually(verified, "every check passes")


def test_a_challenge_is_hidden_hinted_and_solved(here: World) -> None:
    begun = begin(here, *ROUTE)
    assert begun["challenge"]["seed"] == 7 and begun["failing"] > 0
    assert begun["symptoms"] and "route" not in str(begun["symptoms"])
    documented = dict(json_keys(Path("docs/challenges.md")))
    assert set(begun) == documented["challenge"]
    nothing_gives_it_away(here)
    (fault,) = faults_of(*ROUTE)
    told = [here.json("hint") for _ in range(4)]
    assert [each["stage"] for each in told] == [1, 2, 3, 3] and set(told[0]) == documented["hint"]
    assert [each["challenge"]["hints"] for each in told] == [1, 2, 3, 3]
    assert [[line["label"] for line in each["told"]] for each in told[:2]] == [["look at"], ["look at", "where"]]
    assert "192.0.2.91" in str(told[2]["told"]) and "192.0.2.91" not in str(told[1]["told"])
    mend(here, fault)
    done = here.labctl("verify")
    assert f"solved in 0 s with 3 hints: {fault.fault.words}" in done.stdout.replace(taken(done.stdout), "0 s")
    assert "challenge" not in here.json("verify") and here.json("status")["looked_at"]
    assert "is solved" in here.labctl("hint", code=REFUSED).stderr
    here.labctl("up", here.file("two-site.yaml", text_of("two-site")))
    here.labctl("down")


def test_a_challenge_ends_whose_answer_cannot_be_written(as_user: World) -> None:
    begin(as_user, *ROUTE)
    with open("/dev/full", "w") as full:
        assert "all is done" in as_user.labctl("challenge", "--end", stdout=full, code=1).stderr
    assert as_user.json("list") == []


def taken(text: str) -> str:
    """Return the time that it took, as it is told."""
    return text.partition("solved in ")[2].partition(" with ")[0]


def nothing_gives_it_away(here: World) -> None:
    """Look with every command; what is wrong is a route to 192.0.2.91."""
    file = here.file("two-site.yaml", text_of("two-site"))
    verified = here.json("verify", "underlay-to-dummy", "--junit", str(here.home / "report.xml"), code=1)
    assert verified["drift"] == verified["diagnosis"] == [] and verified["challenge"]["solved"] is False
    assert not any(check["lost"] for check in verified["checks"]) and verified["checks"][0]["evidence"]
    why = here.json("why", "siteA", "10.0.2.1", code=1)
    assert why["diagnosis"] == [] and why["challenge"]
    status = here.json("status")
    assert status["drift"] == [] and status["challenge"]["level"] == 2
    traced = here.json("trace", "underlay-to-dummy", code=1)
    assert traced["diagnosis"] == [] and traced["challenge"]
    for refused in (("plan", file), ("up", file), ("restart",)):
        said = here.labctl(*refused, code=REFUSED)
        assert "a challenge runs in lab two-site" in said.stderr and "labctl challenge --end" in said.stderr
    texts = [
        here.labctl(*words, code=None).stdout for words in (("verify", "underlay-to-dummy"), ("status",), ("graph",))
    ]
    assert all("a challenge runs" in text for text in texts)
    assert "as its file says" not in "".join(texts) and "differs from its file in" not in "".join(texts)
    written = (here.labctl("logs").stdout, (here.home / "report.xml").read_text(), json.dumps([verified, why]))
    everything = "".join((*texts, *written))
    assert "192.0.2.91" not in everything and "next hop" not in everything and "wrong-next-hop" not in everything
    with here.start_labctl("events", stdout=-1, stderr=-1) as events:
        assert events.stdout is not None
        assert any("a challenge runs" in line for line in events.stdout)  # beside what any look at the lab shows
        events.terminate()


def test_of_two_faults_each_is_hinted_and_mended(as_user: World) -> None:
    begin(as_user, *PAIR)
    one, other = faults_of(*PAIR)
    first = as_user.json("hint")
    mend(as_user, one)
    rest = as_user.json("hint")
    assert [first["stage"], rest["stage"]] == [1, 1] and first["told"] != rest["told"]
    assert as_user.json("verify", other.injected.check, code=1)["challenge"]["solved"] is False
    mend(as_user, other)
    assert solved(as_user)["challenge"]["was"] == [one.fault.words, other.fault.words]
    as_user.labctl("down")


def test_whoever_breaks_more_is_told_what_was_well(as_root: World) -> None:
    begin(as_root, *ENGINE)
    (fault,) = faults_of(*ENGINE)
    traced = as_root.labctl("trace", "siteA", "--", "ping", "-c1", "-W1", "10.0.102.1", code=1).stdout
    assert "a challenge runs" in traced and "has ended" not in traced
    as_root.labctl("exec", "siteB", "--", "ip", "addr", "del", "192.0.2.2/30", "dev", "wan0")
    said = as_root.labctl("verify", "underlay", code=1).stdout
    assert "new underlay fails: that was well when the challenge began" in said
    as_root.labctl("exec", "siteB", "--", "ip", "addr", "add", "192.0.2.2/30", "dev", "wan0")
    as_root.labctl("exec", "siteB", "--", "ip", "route", "replace", "10.0.1.0/24", "via", "192.0.2.1")
    mend(as_root, fault)
    assert "runs all checks" in as_root.labctl("verify", "underlay").stdout
    assert solved(as_root)["challenge"] | {"seconds": 0} == {
        "topology": str(as_root.home / "two-site.yaml"),
        "seed": 5,
        "level": 1,
        "seconds": 0,
        "hints": 0,
        "revealed": False,
        "solved": True,
        "broken": [],
        "missing": [],
        "was": [fault.fault.words],
    }
    as_root.labctl("down")


def test_the_answer_is_shown_and_the_challenge_ended(as_user: World) -> None:
    begin(as_user, *ROUTE)
    file = as_user.file("two-site.yaml", text_of("two-site"))
    assert "a challenge runs in lab two-site already" in as_user.labctl("challenge", file, code=REFUSED).stderr
    shown = as_user.json("challenge", "--reveal")
    assert shown["names"] == ["next-hop-of-none"] and "192.0.2.91" in shown["made"][0]
    assert as_user.json("status")["challenge"]["revealed"] is True
    assert "seed 7, level 2" in as_user.labctl("challenge").stdout  # it is told again what is wrong
    assert "ip route replace" in as_user.labctl("challenge", "--end").stdout
    assert as_user.json("list") == []
    begin(as_user, *ROUTE)
    as_user.labctl("up", file, "--fresh")
    assert as_user.json("status")["drift"] == [] and "challenge" not in as_user.json("status")
    assert "no challenge runs" in as_user.labctl("hint", code=REFUSED).stderr
    assert "a challenge makes it anew" in as_user.labctl("challenge", file, code=REFUSED).stderr
    as_user.labctl("down")


def test_faults_are_listed(as_user: World) -> None:
    every = as_user.json("challenge", "--list")
    own = as_user.json("challenge", "--list", "switched-lan")
    assert len(every) >= 24 and {one["name"] for one in own} < {one["name"] for one in every}
    assert all(one["topologies"] == ["switched-lan"] for one in own)
    assert "port-out-of-bridge" in as_user.labctl("challenge", "--list", "switched-lan").stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("challenge", "lossy-link"), "has no fault of level 1"),
        (("challenge", "two-site", "--level", "4"), "4 is not in the range"),
        (("challenge", "--reveal"), "no lab is running"),
        (("hint",), "no lab is running"),
    ],
)
def test_what_is_no_challenge_is_refused(as_user: World, words: tuple[str, ...], said: str) -> None:
    assert said in as_user.labctl(*words, code=REFUSED).stderr


def test_a_python_program_is_told_no_more(as_user: World) -> None:
    begin(as_user, *ROUTE)
    program = """\
from labctl import Lab
lab = Lab("two-site")
verified = lab.verify("underlay-to-dummy")
status = lab.status()
reached = lab.why("siteA", "10.0.2.1")
print(verified.drift, verified.diagnosis, status.pending, reached.diagnosis)
print(verified, status, reached)
"""
    out = as_user.run(sys.executable, "-c", program).stdout
    assert out.startswith("() () None ()\n") and "192.0.2.91" not in out and "a challenge runs" in out
    as_user.labctl("down")
