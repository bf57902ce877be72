"""Checks as tests: what passes, what a report says of what does not, and that the lab is gone afterwards."""

from __future__ import annotations

import os
import signal
import xml.etree.ElementTree as ET

import pytest

from tests.e2e.world import World
from tests.pytest_plugin.conftest import Pytest
from tests.pytest_plugin.labs import CANNOT_START, GOOD, NEEDS, NO_ROUTE

NO_ROUTE_TOLD = """\
siteA: siteA has no route to 10.0.102.1

FAIL across  The other site answers through the tunnel.
     expected  2 echo requests to 10.0.102.1: every reply
     observed  not sent: Network is unreachable (ENETUNREACH), as with no route
     lost      siteA: siteA has no route to 10.0.102.1
     by hand   labctl exec siteA -- ping -c 2 10.0.102.1

where  siteA
why    siteA has no route to 10.0.102.1
seen   siteA sent: no packet of the probe was seen on the wire
seen   siteA route look-up from 10.0.101.1 to 10.0.102.1: Network is unreachable (ENETUNREACH)
do     tunnel.lab.yaml:7: add the route - {to: 10.0.102.0/24, dev: tun0}"""

NOT_ASKED_TOLD = """\
siteA: siteA has no route to 10.0.102.9, an address that no namespace has

???? silent
     expected  1 echo requests to 10.0.102.9: no reply
     observed  not sent: Network is unreachable (ENETUNREACH), as with no route
"""


def cases(here: World, file: str) -> dict[str, ET.Element]:
    """The tests of a JUnit report by name."""
    return {case.attrib["name"]: case for case in ET.parse(here.home / file).iter("testcase")}


def test_checks_that_pass_are_tests_that_pass(tests: Pytest) -> None:
    tests.here.file("tunnel.lab.yaml", GOOD)
    tests.run("tunnel.lab.yaml", "--junitxml", "report.xml").assert_outcomes(passed=2)
    found = cases(tests.here, "report.xml")["local"]
    assert (found.attrib["classname"], found[0][0].attrib["value"]) == (
        "tunnel.lab.yaml",
        "A site's own address answers.",
    )


def test_a_failure_is_told_with_its_diagnosis_and_without_a_stack(tests: Pytest) -> None:
    tests.here.file("tunnel.lab.yaml", NO_ROUTE)
    found = tests.run("tunnel.lab.yaml", "--junitxml", "report.xml")
    found.assert_outcomes(passed=1, failed=1, errors=1)
    report = cases(tests.here, "report.xml")
    assert {name: [part.tag for part in case if part.tag != "properties"] for name, case in report.items()} == {
        "local": [],
        "across": ["failure"],
        "silent": ["error"],
    }
    assert report["across"].findtext("failure") == NO_ROUTE_TOLD
    assert (report["silent"].findtext("error") or "").startswith(NOT_ASKED_TOLD)
    told = "\n".join(found.outlines)
    assert NO_ROUTE_TOLD in told and NOT_ASKED_TOLD in told and ".py" not in told.partition("= ERRORS =")[2]


def test_one_cause_is_one_failure_where_it_is_reported(tests: Pytest) -> None:
    tests.here.file("tunnel.lab.yaml", NEEDS)
    found = tests.run("tunnel.lab.yaml", "-rs", "--junitxml", "report.xml")
    found.assert_outcomes(failed=1, skipped=1)
    found.stdout.fnmatch_lines(["SKIPPED* tunnel.lab.yaml:15: it needs across, which did not pass"])
    reason = cases(tests.here, "report.xml")["across"].find("properties/property[@name='reason']")
    assert reason is not None and reason.attrib["value"] == "no-route"
    alone = tests.run("tunnel.lab.yaml::then")
    alone.assert_outcomes(errors=1)
    alone.stdout.fnmatch_lines(
        ["it needs across, which failed", "FAIL across*", "why    siteA has no route to 10.0.102.1"]
    )


def test_why_there_is_no_lab_is_told_once(tests: Pytest) -> None:
    tests.here.file("tunnel.lab.yaml", CANNOT_START)
    found = tests.run("tunnel.lab.yaml")
    found.assert_outcomes(errors=2)
    told = "\n".join(found.outlines)
    assert told.count("./gone") == 2, told  # in the report, and in the summary of the run
    assert "lab tunnel could not be made, as the first of its checks tells" in told
    assert ".py" not in told.partition("= ERRORS =")[2]


ENDED = """\
def pytest_runtest_call(item):
    if item.name == "across":
        item.parent.lab.down()
"""


def test_a_check_of_a_lab_that_is_gone_or_not_reached_is_an_error_and_no_failure(tests: Pytest) -> None:
    """What needs it is skipped, as behind any other that did not pass."""
    tests.here.file("tunnel.lab.yaml", NEEDS)
    tests.here.file("conftest.py", ENDED)
    found = tests.run("tunnel.lab.yaml")
    found.assert_outcomes(errors=1, skipped=1)
    found.stdout.fnmatch_lines(["ERROR*across - NotAsked: there is no lab named tunnel"])


def test_two_workers_have_a_lab_each_or_one_has_it_alone(tests: Pytest) -> None:
    tests.here.file("tunnel.lab.yaml", GOOD)
    tests.run("tunnel.lab.yaml", "-n", "2").assert_outcomes(passed=2)
    apart = tests.run("tunnel.lab.yaml", "-n", "2", "--dist", "loadfile", "-v")
    apart.assert_outcomes(passed=2)
    assert len({line.split()[0] for line in apart.outlines if line.startswith("[gw")}) == 1, apart.outlines


def test_the_first_failure_may_end_the_run(tests: Pytest) -> None:
    tests.here.file("tunnel.lab.yaml", NO_ROUTE)
    tests.run("tunnel.lab.yaml", "-x").assert_outcomes(passed=1, failed=1)


SLOW = (
    GOOD
    + """\
  - name: never
    ping: {from: siteA, to: 10.0.102.9, count: 1, timeout: 0.1}
    wait: 60
"""
)


@pytest.mark.parametrize("words", [[], ["-n", "2"]], ids=["alone", "workers"])
def test_an_interrupt_takes_the_lab_down(tests: Pytest, words: list[str]) -> None:
    tests.here.file("tunnel.lab.yaml", SLOW)
    with tests.start("tunnel.lab.yaml", "-v", *words) as process:
        assert process.stdout is not None
        assert any("across" in line for line in process.stdout)
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does at Ctrl-C
        out, _ = process.communicate()
    assert process.returncode == pytest.ExitCode.INTERRUPTED, out
