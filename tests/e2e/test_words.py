"""What labctl says and takes: labs named in every way, misspelled names, what to type next, failures as JSON."""

from __future__ import annotations

import json
import os
import re
from typing import Any

import pytest

from labctl.checks.results import Evidence, Result
from labctl.lab.verify import Verified
from labctl.report import verdicts
from tests.e2e.labs import PAIR, tunnel
from tests.e2e.world import SUITE_IS_ROOT, World


@pytest.fixture
def two_labs(here: World) -> Any:
    """The labs `pair` and `second` of one file."""
    file = here.file("pair.yaml", PAIR)
    here.labctl("up", file)
    told = here.labctl("up", file, "--name", "second").stdout
    assert "labctl verify -l second" in told and "labctl down -l second" in told
    yield here
    here.labctl("down", "--all")


def test_a_lab_is_named_by_an_option_an_argument_or_a_namespace_of_it(two_labs: World) -> None:
    for words in (
        ["exec", "second-left", "--", "true"],
        ["exec", "second", "second-left", "--", "true"],
        ["exec", "-l", "second", "left", "--", "true"],
        ["verify", "second"],
        ["verify", "second", "across"],
        ["verify", "-l", "second", "across"],
        ["status", "second"],
        ["status", "-l", "second"],
        ["logs", "second"],
        ["impair", "second-left:eth0", "--show"],
    ):
        two_labs.labctl(*words)
    for words in (["verify"], ["verify", "across"], ["exec", "nowhere", "--", "true"]):
        said = two_labs.labctl(*words, code=2).stderr
        assert "pair, second" in said and "-l LAB" in said


def test_a_misspelled_lab_is_told_and_a_second_down_is_no_error(two_labs: World) -> None:
    said = two_labs.labctl("down", "secondd", code=2).stderr
    assert "did you mean 'second'?" in said
    assert "did you mean 'second'?" in two_labs.labctl("status", "secondd", code=2).stderr
    file = str(two_labs.home / "pair.yaml")
    for name in ("second1", "second2"):
        two_labs.labctl("up", file, "--name", name)
    for name in ("second1", "second1", "second2", "second2", "second1"):
        two_labs.labctl("down", name)
    assert "nothing to do" in two_labs.labctl("down", "-l", "second1").stdout


def test_plan_and_status_name_the_file_and_up_makes_it_anew(here: World) -> None:
    file = here.file("pair.yaml", PAIR)
    here.labctl("up", file)
    assert here.json("status")["file"] == here.json("plan", file)["file"] == os.path.realpath(file)
    assert "pair.yaml" in here.labctl("status").stdout and "pair.yaml" in here.labctl("plan", file).stdout
    here.labctl("exec", "left", "--", "ip", "link", "set", "eth0", "mtu", "1300")
    found = here.json("verify")
    assert [change["subject"] for change in found["drift"]] == ["left:eth0"]
    assert "differs from its file in 1 place" in here.labctl("verify").stdout
    before = here.json("status")["namespaces"]["left"]["interfaces"]["eth0"]["mac"]
    assert "is up" in here.labctl("up", "--fresh", file).stdout
    after = here.json("status")["namespaces"]["left"]["interfaces"]["eth0"]
    assert after["mtu"] == 1500 and after["mac"] != before
    assert "the lab is as its file says" in here.labctl("verify").stdout
    here.labctl("down")


def test_the_shipped_topologies_are_listed_shown_and_copied(as_user: World) -> None:
    listed = {found["name"]: found["description"] for found in as_user.json("topologies")}
    assert {"single-host", "two-site", "ospf"} < listed.keys() and all(listed.values())
    assert "Two sites" in as_user.labctl("topologies").stdout
    text = as_user.labctl("topologies", "show", "two-site").stdout
    as_user.labctl("topologies", "copy", "two-site", ".")
    assert (as_user.home / "two-site.yaml").read_text() == text
    as_user.labctl("validate", str(as_user.home / "two-site.yaml"))
    assert "is there already" in as_user.labctl("topologies", "copy", "two-site", code=2).stderr
    assert "did you mean 'two-site'?" in as_user.labctl("topologies", "show", "two-sites", code=2).stderr


def test_validate_warns_of_a_peer_that_nothing_is_bound_to(as_user: World) -> None:
    file = as_user.file("lab.yaml", tunnel(ttun_b=""))
    done = as_user.labctl("validate", file)
    assert "2 namespaces, 1 tunnel endpoint, 1 check: no mistakes, 1 warning" in done.stdout
    assert "warning: " in done.stderr and "no endpoint is bound to the peer 192.0.2.2:9000" in done.stderr
    (warning,) = as_user.json("validate", file)["warnings"]
    assert (warning["line"], warning["column"]) == (13, 61)


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["up", "nowhere.yaml"], 2),
        (["plan", "two-sites"], 2),
        (["validate", "nowhere.yaml"], 2),
        (["export", "nowhere.yaml"], 2),
        (["exec", "siteA", "--", "true"], 2),
        (["shell", "siteA"], 2),
        (["logs"], 2),
        (["capture", "siteA:tun0"], 2),
        (["impair", "siteA:tun0", "--show"], 2),
        (["status", "nobody"], 2),
        (["verify"], 2),
        (["verifi"], 2),
        (["status", "--colour"], 2),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_a_failure_is_json_where_json_is_asked_for(as_user: World, words: list[str], code: int) -> None:
    own, dashes, command = (*words[: words.index("--")],) if "--" in words else (*words,), "--" in words, words[-1:]
    done = as_user.labctl(*own, "-f", "json", *(["--", *command] if dashes else []), code=code)
    error = json.loads(done.stdout)["error"]
    assert error["code"] == code and error["what"] and done.stderr == ""
    assert {"what", "why", "hint", "code"} <= set(error)


def test_every_mistake_of_a_file_is_json_with_its_place(as_user: World) -> None:
    file = as_user.file("broken.yaml", PAIR.replace("peer", "pere"))
    found = as_user.json("validate", file, code=2)["error"]
    assert [(one["line"], one["file"]) for one in found["mistakes"]] == [(5, file), (8, file)]
    assert all("did you mean 'peer'" in one["hint"] for one in found["mistakes"])
    assert as_user.json("up", file, code=2)["error"]["mistakes"] == found["mistakes"]


def test_export_and_down_are_json_too(as_user: World) -> None:
    assert as_user.json("export", "two-site")["script"] == as_user.labctl("export", "two-site").stdout
    assert as_user.json("down") == {"labs": [], "errors": []}
    as_user.labctl("up", as_user.file("pair.yaml", PAIR))
    (gone,) = as_user.json("down")["labs"]
    assert gone["lab"] == "pair" and {"kind": "namespace", "name": "left"} in gone["removed"]


def test_root_of_a_user_namespace_alone_is_told_in_words(as_user: World) -> None:
    said = as_user.run("unshare", "--user", "--map-root-user", *as_user.command("up", "two-site"), code=3).stderr
    assert "user namespace" in said and "unshare" in said and len(said.splitlines()) <= 3


if not SUITE_IS_ROOT:  # /run is no one's to write there, and what unshare(1) may is the machine's affair
    del test_root_of_a_user_namespace_alone_is_told_in_words


PASSED = Result(
    "silent-neighbour-of-a-long-name",
    "A neighbour in tun0's subnet is sent into the TUN, leaves the other one, and is nowhere (observation 7).",
    True, True, "silent", "3 echo requests to 10.0.101.5: no reply", "3 sent, no reply",
    tuple(Evidence("siteA:tun0", word, "3", 3, True) for word in ("tx", "read", "sent")),
    "labctl exec siteA -- ping -c 3 10.0.101.5",
)  # fmt: skip
FAILED = Result(
    "across", "The far address answers.", False, True, "silent", "3 echo requests to 10.0.102.1: every reply",
    "3 sent, no reply", (Evidence("siteA:tun0", "tx", "3", 0, False),), "labctl exec siteA -- ping -c 3 10.0.102.1",
    "no packet reached siteA:tun0", "Look at the route.",
)  # fmt: skip
UNASKED = Result("hello", "", False, False, "unasked", "TCP", "port 80 is taken", (), "labctl exec siteA -- nc")


def test_a_check_that_passed_is_one_line_and_one_that_failed_the_whole_story(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    verdicts.result(PASSED)
    told = capsys.readouterr().out
    assert len(told.splitlines()) == 1 and "3 sent, no reply; 3 counts as expected" in told
    verdicts.result(PASSED, whole=True)
    told = capsys.readouterr().out
    assert "observation 7" in told and PASSED.command in told
    verdicts.result(FAILED)
    told = capsys.readouterr().out
    for words in (FAILED.description, FAILED.expected, FAILED.observed, FAILED.lost, FAILED.message, FAILED.command):
        assert words in told


def test_a_line_of_a_check_that_passed_fits_a_narrow_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"FORCE_COLOR": "1", "COLUMNS": "60", "TERM": "xterm"}.items():
        monkeypatch.setenv(name, value)
    verdicts.result(PASSED)
    (line,) = re.sub(r"\x1b\[[0-9;]*m", "", capsys.readouterr().out).splitlines()
    assert line.startswith(f"pass {PASSED.name}") and len(line) <= 60


def test_the_last_lines_name_what_failed_and_what_to_do_next(capsys: pytest.CaptureFixture[str]) -> None:
    verdicts.summary(Verified("lab", "/lab.yaml", (PASSED, FAILED, UNASKED), ()), several=False)
    told = capsys.readouterr().out
    assert "3 checks, 1 failed, 1 could not be asked; the lab is as its file says" in told
    assert "failed" in told and "across" in told and "labctl verify -v across" in told
    rows = [line.split() for line in told.splitlines()]
    assert ["failed", "across"] in rows and ["not", "asked", "hello"] in rows
    verdicts.summary(Verified("lab", "/lab.yaml", (PASSED,), ()), several=True)
    assert "1 check, all passed; the lab is as its file says" in capsys.readouterr().out
