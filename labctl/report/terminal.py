"""What a person reads. What is drawn or set in columns is in modules of its own, which load rich where it is needed."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

from labctl.report import failure
from labctl.report.hints import hints
from labctl.report.style import shown

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


class TerminalReporter:
    """Writes to standard output as things happen (report.reporter)."""

    @contextmanager
    def making(self, explain: bool) -> Iterator[Listener]:
        from labctl.report.live import UpView

        with closing(UpView(explain)) as view:
            yield view.notify

    def up(self, report: UpReport, several: bool) -> None:
        from labctl.report import tables

        tables.up(report, hints(report.topology, several))

    def plan(self, found: Planned, fresh: bool, explain: bool) -> None:
        from labctl.report import tables

        tables.plan(found, fresh, explain)

    def restart(self, lab: str, found: Restarted) -> None:
        names = [
            *(engine.device for engine in found.engines),
            *(cable.device for cable in found.cables),
            *(program.program for program in found.programs),
        ]
        print(shown(f"{lab}: started again: {', '.join(names)}"))

    def down(self, report: DownReport, wanted: str | None) -> None:
        from labctl.report import ended

        for error in report.failed:
            failure.show(error)
        for lab, removed in report.removed.items():
            ended.show(removed, lab)
        if not (report.removed or report.failed):
            print(f"no lab{f' named {wanted}' if wanted else ''} is running: nothing to do")

    def status(self, report: Status) -> None:
        from labctl.report import tables

        tables.status(report)

    def labs(self, summaries: Sequence[Summary]) -> None:
        from labctl.report import tables

        tables.labs(summaries)

    def run(self, number: int, of: int) -> None:
        if of > 1:
            print(f"run {number} of {of}", flush=True)

    def check(self, result: Result, whole: bool) -> None:
        from labctl.report import verdicts

        verdicts.result(result, whole)

    def verify(self, found: Verified, whole: bool, several: bool) -> None:
        from labctl.report import causes, challenge, verdicts

        causes.causes(found.diagnosis, whole)
        verdicts.summary(found, several)
        challenge.standing(found.challenge, found.passed)

    def repeated(self, runs: Sequence[Verified], whole: bool) -> None:
        from labctl.report import causes, challenge, verdicts

        causes.causes(runs[-1].diagnosis, whole)
        verdicts.repeated(runs)
        challenge.standing(runs[-1].challenge, runs[-1].passed)

    def why(self, found: Reached, whole: bool) -> None:
        from labctl.report import causes, challenge

        verb = "reaches" if found.reached else "does not reach"
        print(shown(f"{found.sender} {verb} {found.to}: {found.observed}"))
        causes.causes(found.diagnosis, whole)
        if not found.reached:
            challenge.note(found.challenge)

    def trace(self, found: Traced, most: int) -> None:
        from labctl.report import challenge, ladder

        ladder.trace(found, most)
        challenge.note(found.challenge)

    def challenge(self, found: Begun, several: bool) -> None:
        from labctl.report import challenge

        challenge.begun(found, several)

    def hint(self, found: Hint) -> None:
        from labctl.report import challenge

        challenge.hint(found)

    def answer(self, found: Answer) -> None:
        from labctl.report import challenge

        challenge.answer(found)

    def lessons(self, found: Sequence[LessonListed]) -> None:
        from labctl.report.lesson import course

        course.lessons(found)

    def faults(self, found: Sequence[Listed]) -> None:
        from labctl.report import challenge

        challenge.faults(found)

    def impairments(self, found: InForce) -> None:
        for direction, impairment in found.by_direction.items():
            print(shown(f"{found.device} {direction.ljust(3)}  {impairment}"))

    def doctor(self, findings: Sequence[Diagnosis], labs: Able, machine: str) -> None:
        from labctl.report import tables

        tables.doctor(findings, labs, machine)

    def valid(self, file: str, topology: Topology, warnings: Sequence[Mistake], unseen: Sequence[str]) -> None:
        for warning in warnings:
            print(f"warning: {warning}", file=sys.stderr, flush=True)
        counts = [
            (len(topology.namespaces), "namespace"),
            (len(topology.ttun), "tunnel endpoint"),
            (len(topology.checks), "check"),
        ]
        told = ", ".join(f"{number} {what}{'s' * (number != 1)}" for number, what in counts)
        warned = f", {len(warnings)} warning{'s' * (len(warnings) != 1)}" if warnings else ""
        print(f"{file}: lab {topology.name}, {told}: no mistakes{warned}")
        for each in unseen:
            print(f"not looked at: {each}")

    def script(self, lab: str, language: str, text: str) -> None:
        print(text, end="")

    def picture(self, lab: str, language: str, text: str, file: str) -> None:
        print(f"wrote {file}" if file else text, end="\n" if file else "")

    def topologies(self, descriptions: Mapping[str, str]) -> None:
        from labctl.report import tables

        tables.topologies(descriptions)
