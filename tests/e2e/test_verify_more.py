"""`verify` with the checks of another file, several times, with a report for CI, and with checks that need others."""

from __future__ import annotations

from xml.etree import ElementTree as xml

from tests.e2e.labs import PAIR
from tests.e2e.world import World

TEACHER = """\
checks:
  - {name: reach, ping: {from: left, to: 192.0.2.2, timeout: 0.3}, crosses: ["left:eth0", "right:eth0"]}
  - {name: absent, ping: {from: left, to: 192.0.2.3, count: 1, timeout: 0.2}}
  - {name: follows, ping: {from: left, to: 192.0.2.2}, needs: [reach, absent]}
  - {name: far, exec: {in: right, command: cat here}, needs: [follows]}
"""
WRONG = """\
checks:
  - {name: one, ping: {from: middle, to: 192.0.2.2}}
  - {name: two, ping: {from: left, to: 192.0.2.2}, crosses: ["left:eth1"]}
  - {name: three, ping: {from: left, to: nowhere}}
"""
MISTAKES = """\
wrong.yaml:2:30: there is no namespace 'middle'
wrong.yaml:3:62: the namespace 'left' has no interface 'eth1'
wrong.yaml:4:42: 'nowhere' is no IP address
"""


def test_a_lab_is_proved_by_the_checks_of_another_file(here: World) -> None:
    here.labctl("up", here.file("pair.yaml", PAIR))
    teacher, report = here.file("teacher.yaml", TEACHER), str(here.home / "report.xml")
    here.file("here", "this")
    found = {
        check["name"]: check
        for check in here.json("verify", "--checks", teacher, "--junit", report, code=1)["checks"]
    }  # fmt: skip
    assert [(name, check["passed"], check["asked"], check["lacks"]) for name, check in found.items()] == [
        ("reach", True, True, []), ("absent", False, True, []),
        ("follows", False, False, ["absent"]), ("far", False, False, ["follows"]),
    ]  # fmt: skip
    assert found["far"]["observed"] == "it needs follows, which was not asked"
    (suite,) = xml.parse(report).getroot()
    assert [[part.tag for part in case] for case in suite] == [[], ["failure"], ["skipped"], ["skipped"]]
    assert "192.0.2.3" in (suite[1][0].text or "")
    told = here.labctl("verify", "--checks", teacher, code=1).stdout
    assert "skip follows" in told and "4 checks, 1 failed, 2 skipped" in told
    assert told.count("fails for one reason") == 1 and "absent fails for one reason" in told
    found_by_name = here.json("verify", "--checks", teacher, "reach")["checks"]
    assert [check["name"] for check in found_by_name] == ["reach"]
    brought_along = here.json("verify", "--checks", teacher, "far", code=1)["checks"]
    assert [check["name"] for check in brought_along] == ["reach", "absent", "follows", "far"]
    assert here.json("verify")["checks"][0]["name"] == "across", "the lab keeps its own"
    here.labctl("down")


def test_checks_that_do_not_fit_the_lab_are_mistakes_with_their_places(here: World) -> None:
    here.labctl("up", here.file("pair.yaml", PAIR))
    here.file("wrong.yaml", WRONG)
    told = here.labctl("verify", "--checks", "wrong.yaml", code=2).stderr
    places = [line for line in told.splitlines() if line.startswith("wrong.yaml:")]
    assert places == MISTAKES.splitlines(), told
    none = here.labctl("verify", "--checks", here.file("none.yaml", "name: none\n"), code=2).stderr
    assert "has no checks" in none
    here.labctl("down")


def test_a_file_names_the_namespaces_of_a_lab_with_another_name_as_its_own_file_does(here: World) -> None:
    here.labctl("up", here.file("pair.yaml", PAIR), "--name", "mine")
    for text, name in ((TEACHER, "reach"), (PAIR, "across")):  # checks alone, or a topology
        assert here.json("verify", "--checks", here.file("teacher.yaml", text), name)["passed"]
    here.labctl("down")


SOMETIMES = """\
  - {name: sometimes, exec: {in: left, command: sh -c 'echo x >>runs; test $(wc -l <runs) != 2'}}
  - {name: never, exec: {in: left, command: nosuchprogram}}
"""


def test_checks_are_repeated_and_each_has_to_pass_every_time(here: World) -> None:
    here.labctl("up", here.file("pair.yaml", PAIR + SOMETIMES))
    found = here.json("verify", "--repeat", "3", "across", "sometimes", code=1)
    assert found["passed"] is False
    assert found["checks"] == [
        {"name": "across", "passed": True, "passes": 3, "runs": 3},
        {"name": "sometimes", "passed": False, "passes": 2, "runs": 3},
    ]
    assert [[check["passed"] for check in run["checks"]] for run in found["runs"]] == [
        [True, True], [True, False], [True, True],
    ]  # fmt: skip
    told = here.labctl("verify", "--repeat", "2", "across", "sometimes").stdout
    assert "run 2 of 2" in told and "2 checks in 2 runs, all passed every time" in told
    here.labctl("verify", "--repeat", "2", "never", code=5)
    here.labctl("verify", "--repeat", "0", code=2)
    here.labctl("down")
