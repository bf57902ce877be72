"""What the commands report to. There is one for a person at a terminal, and one for programs, which read JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from labctl.checks.results import Result
    from labctl.kernel.drivers import Able
    from labctl.lab.down import DownReport
    from labctl.lab.events import Listener
    from labctl.lab.impair import InForce
    from labctl.lab.reconcile import Planned
    from labctl.lab.restart import Restarted
    from labctl.lab.status import Status, Summary
    from labctl.lab.traced import Traced
    from labctl.lab.up import UpReport
    from labctl.lab.verify import Verified
    from labctl.lab.why import Reached
    from labctl.report.challenge_values import Answer, Begun, Hint, Listed
    from labctl.report.lesson.course import Listed as LessonListed
    from labctl.rootless.userns_diagnosis import Diagnosis
    from labctl.topology.mistakes import Mistake
    from labctl.topology.model import Topology


class Reporter(Protocol):
    """A method for each command that reports, with what its work in `lab` returned.

    Where `several` labs run, commands that are suggested name the one that is meant.
    """

    def making(self, explain: bool) -> AbstractContextManager[Listener]:
        """Return a context that yields the listener of `up`; with `explain` each step is shown as a command, too."""

    def up(self, report: UpReport, several: bool) -> None:
        """Report a lab that is up."""

    def plan(self, found: Planned, fresh: bool, explain: bool) -> None:
        """Report what `up` would do; `fresh` where nothing of the lab is there."""

    def restart(self, lab: str, found: Restarted) -> None:
        """Report the engines and programs that were started again."""

    def down(self, report: DownReport, wanted: str | None) -> None:
        """Report what `down` removed, and what it could not; `wanted` is the lab that was named."""

    def status(self, report: Status) -> None:
        """Report what is there of a lab."""

    def labs(self, summaries: Sequence[Summary]) -> None:
        """Report the labs of this user."""

    def run(self, number: int, of: int) -> None:
        """Report that the checks are run now, for which time of how many."""

    def check(self, result: Result, whole: bool) -> None:
        """Report a check as soon as it has its verdict; the `whole` of it, too, where it passed."""

    def verify(self, found: Verified, whole: bool, several: bool) -> None:
        """Report the verdicts together, and why checks failed; the `whole` of what was measured for that."""

    def repeated(self, runs: Sequence[Verified], whole: bool) -> None:
        """Report how often each check passed in several runs."""

    def why(self, found: Reached, whole: bool) -> None:
        """Report whether a namespace reached an address, and why not."""

    def trace(self, found: Traced, most: int) -> None:
        """Report the ladders of the packets of a command; for a person those of so many packets."""

    def challenge(self, found: Begun, several: bool) -> None:
        """Report what is told of a challenge."""

    def hint(self, found: Hint) -> None:
        """Report a hint."""

    def answer(self, found: Answer) -> None:
        """Report the answer of a challenge."""

    def lessons(self, found: Sequence[LessonListed]) -> None:
        """Report the lessons, and how far each is."""

    def faults(self, found: Sequence[Listed]) -> None:
        """Report the faults that challenges have."""

    def impairments(self, found: InForce) -> None:
        """Report the impairments that are in force."""

    def doctor(self, findings: Sequence[Diagnosis], labs: Able, machine: str) -> None:
        """Report what a machine can do, and which labs that is enough for."""

    def valid(self, file: str, topology: Topology, warnings: Sequence[Mistake], unseen: Sequence[str]) -> None:
        """Report a file without mistakes, and what of it could not be looked at, with the reason."""

    def script(self, lab: str, language: str, text: str) -> None:
        """Report a lab as a script."""

    def picture(self, lab: str, language: str, text: str, file: str) -> None:
        """Report a picture of a lab; `file` is where it was written to, if it was."""

    def topologies(self, descriptions: Mapping[str, str]) -> None:
        """Report the topologies that ship with labctl: the description of each by its name."""


def reporter(form: str) -> Reporter:
    """Return what reports in a form, `table` or `json`. Load no more than that needs."""
    if form == "json":
        from labctl.report.as_json import JsonReporter

        return JsonReporter()
    from labctl.report.terminal import TerminalReporter

    return TerminalReporter()
