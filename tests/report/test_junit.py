"""The JUnit XML that `verify --junit` writes, held against what Jenkins' and GitLab's readers accept."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from xml.etree import ElementTree as xml

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labctl.checks.results import Result
from labctl.diagnosis.reasons import Reason
from labctl.diagnosis.verdict import Verdict, Witness
from labctl.errors import LabError, UsageError
from labctl.lab.repeated import tallies
from labctl.lab.verify import Verified
from labctl.report.junit import junit, opened

# As in junit-10.xsd of Jenkins' xunit plugin: what an element may hold, and its attributes, those required first.
SCHEMA: dict[str, tuple[set[str], set[str], set[str]]] = {
    "testsuites": ({"testsuite"}, set(), {"name", "time", "tests", "failures", "errors", "disabled"}),
    "testsuite": (
        {"testcase", "properties", "system-out", "system-err"},
        {"name", "tests", "failures", "errors"},
        {"time", "skipped", "disabled", "timestamp", "hostname", "id", "package"},
    ),
    "testcase": (
        {"skipped", "error", "failure", "system-out", "system-err"},
        {"name", "classname"},
        {"time", "status", "assertions"},
    ),
    "failure": (set(), set(), {"message", "type"}),
    "error": (set(), set(), {"message", "type"}),
    "skipped": (set(), set(), {"message", "type"}),
}


def result(name: str, **more: Any) -> Result:
    fields = {
        "description": "", "passed": False, "asked": True, "outcome": "silent", "expected": "a reply",
        "observed": "nothing", "evidence": (), "command": "ping", "seconds": 0.25, **more,
    }  # fmt: skip
    return Result(name, **fields)


RUN = Verified(
    "two-site",
    "two-site.yaml",
    (
        result("base", passed=True, outcome="answered"),
        result("lost", lost="siteB:tun1: it is down", message="look there"),
        result("follows", asked=False, outcome="unasked", observed="it needs lost, which failed", lacks=("lost",)),
        result("none", asked=False, outcome="unasked", observed="there is no such program"),
    ),
    (),
    (
        Verdict(
            "siteB:tun1", Reason.LINK_DOWN, "it is down", (Witness("siteB:tun1", "link", "down"),), "up", ("lost",)
        ),
        Verdict("siteC", Reason.NO_ROUTE, "another cause", (), "", ("other",)),
    ),
)


def valid(text: bytes) -> xml.Element:
    """What a reader makes of a report, which has what the schema allows."""
    root = xml.fromstring(text)
    assert root.tag == "testsuites"
    for element in root.iter():
        inside, required, optional = SCHEMA[element.tag]
        assert {part.tag for part in element} <= inside
        assert required <= set(element.attrib) <= required | optional
        for key in {"tests", "failures", "errors", "skipped"} & set(element.attrib):
            assert int(element.attrib[key]) >= 0
        assert float(element.attrib.get("time", "0")) >= 0
    for suite in root:
        cases = list(suite)
        assert len(cases) == int(suite.attrib["tests"])
        for key, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
            assert int(suite.attrib[key]) == sum(case.find(tag) is not None for case in cases)
    return root


def test_a_verdict_is_a_failure_an_error_or_is_skipped() -> None:
    (suite,) = valid(junit([RUN]))
    assert (suite.attrib["name"], suite.attrib["time"]) == ("two-site", "1.000")
    assert [(case.attrib["name"], [part.tag for part in case]) for case in suite] == [
        ("base", []), ("lost", ["failure"]), ("follows", ["skipped"]), ("none", ["error"]),
    ]  # fmt: skip
    failure = suite[1][0]
    assert failure.attrib == {"message": "siteB:tun1: it is down", "type": "silent"}
    text = failure.text or ""
    for words in ("a reply", "nothing", "look there", "it is down", "siteB:tun1 link: down"):
        assert words in text
    assert "another cause" not in text, "that is of another check"
    assert suite[2][0].attrib["message"] == "it needs lost, which failed"


def test_each_of_several_runs_is_a_suite() -> None:
    root = valid(junit([RUN, RUN]))
    assert [suite.attrib["name"] for suite in root] == ["two-site.1", "two-site.2"]
    assert {case.attrib["classname"] for case in root[1]} == {"two-site.2"}


@given(st.text(), st.text())
def test_whatever_a_command_has_said_the_report_can_be_read(observed: str, lost: str) -> None:
    """Also characters that cannot stand in XML, and half of a surrogate pair."""
    valid(junit([Verified("lab", "f", (result("one", observed=observed, lost=lost),), ())]))


def test_a_report_that_cannot_be_written_is_refused_before_the_first_check(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be written"), opened(str(tmp_path / "none" / "report.xml")):
        pytest.fail("the checks are run")


def test_a_report_for_which_the_disk_is_too_full_is_told() -> None:
    with pytest.raises(LabError, match=r"/dev/full could not be written to its end"), opened("/dev/full") as write:
        write(junit([RUN]))


def test_how_often_each_passed_is_counted() -> None:
    better = Verified("two-site", "f", (result("base", passed=True), result("lost", passed=True)), ())
    found = {each.name: each for each in tallies([RUN, better])}
    assert [(each.name, each.passes, each.asked, each.runs, each.passed) for each in found.values()] == [
        ("base", 2, 2, 2, True), ("lost", 1, 2, 2, False), ("follows", 0, 0, 1, False), ("none", 0, 0, 1, False),
    ]  # fmt: skip
    assert found["lost"].last is RUN.results[1] and found["base"].last is None
