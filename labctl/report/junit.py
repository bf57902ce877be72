"""The verdicts of checks as JUnit XML, which GitLab, Jenkins and GitHub's actions read: a check is a test case.

There is no standard, so this keeps to what all schemas of it have (that of Jenkins' xunit plugin is the strictest):

    failure   a check that was asked and has not passed, with what was expected, observed and counted, and why
    error     one that could not be asked: it is not said to have passed, nor to have failed
    skipped   one that needs another one that has not passed: so one cause is one failure
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from xml.etree import ElementTree as xml

from labctl.checks.results import Result
from labctl.errors import LabError, UsageError, kernel_words
from labctl.lab.verify import Verified

_NO_CHARACTER = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What cannot stand in XML 1.0, not even as a reference (section 2.2)."""


@contextmanager
def opened(path: str) -> Iterator[Callable[[bytes], None]]:
    """Yield what writes a report to a file, which is made before there is anything to report.

    Raise UsageError where it cannot be made; what is yielded raises LabError where the report cannot be written.
    """
    try:
        file = open(path, "wb")  # noqa: SIM115  # what the body raises is not about this file
    except OSError as error:
        raise UsageError(f"{path} cannot be written", kernel_words(error), "name another file") from None

    def write(report: bytes) -> None:
        try:
            with file:
                file.write(report)
        except OSError as error:
            raise LabError(f"{path} could not be written to its end", kernel_words(error)) from None

    with file:
        yield write


def junit(runs: Sequence[Verified]) -> bytes:
    """Return the report of some runs of checks; those of one lab are numbered."""
    suites = xml.Element("testsuites")
    several, numbers = Counter(run.lab for run in runs), Counter[str]()
    for run in runs:
        numbers[run.lab] += 1
        name = run.lab if several[run.lab] == 1 else f"{run.lab}.{numbers[run.lab]}"
        suites.append(_suite(name, run))
    xml.indent(suites)
    text: bytes = xml.tostring(suites, encoding="utf-8", xml_declaration=True)
    return text + b"\n"


def _suite(name: str, run: Verified) -> xml.Element:
    kinds = [_kind(result) for result in run.results]
    suite = xml.Element(
        "testsuite",
        {
            "name": _text(name),
            "tests": str(len(kinds)),
            "failures": str(kinds.count("failure")),
            "errors": str(kinds.count("error")),
            "skipped": str(kinds.count("skipped")),
            "time": f"{sum(result.seconds for result in run.results):.3f}",
        },
    )
    for result, kind in zip(run.results, kinds, strict=True):
        case = {"classname": _text(name), "name": _text(result.name), "time": f"{result.seconds:.3f}"}
        found = xml.SubElement(suite, "testcase", case)
        if kind == "skipped":
            xml.SubElement(found, kind, {"message": _text(result.observed)})
        elif kind:
            said = {"message": _text(result.lost or result.observed), "type": result.outcome}
            xml.SubElement(found, kind, said).text = _text(_told(result, run))
    return suite


def _kind(result: Result) -> str:
    if result.passed:
        return ""
    return "skipped" if result.lacks else "failure" if result.asked else "error"


def _told(result: Result, run: Verified) -> str:
    """Return all that is known of a check that has not passed."""
    causes = [str(cause) for cause in run.diagnosis if result.name in cause.checks]
    return "\n\n".join((str(result), *causes))


def _text(words: str) -> str:
    return _NO_CHARACTER.sub("\N{REPLACEMENT CHARACTER}", words)
