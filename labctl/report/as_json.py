"""The documented JSON (docs/commands.md): what other programs may rely on. Keys are added, never renamed."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from labctl.plan.change import Change
from labctl.plan.coverage import Coverage
from labctl.plan.facts import Link, Namespace
from labctl.plan.recorded import Substitution
from labctl.plan.routes import Rule
from labctl.report.packets import headers
from labctl.trace.dissect import Packet

if TYPE_CHECKING:
    from labctl.checks.results import Result
    from labctl.errors import LabError
    from labctl.kernel.drivers import Able
    from labctl.lab.challenge import Challenge
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
    from labctl.trace.ladder import Ladder, Rung


class JsonReporter:
    """Writes one JSON value to standard output, at the end of a command (report.reporter)."""

    @contextmanager
    def making(self, explain: bool) -> Iterator[Listener]:
        yield lambda _: None

    def up(self, report: UpReport, several: bool) -> None:
        _write(
            {
                "lab": report.lab,
                "mode": report.mode,
                "changes": [_change(change) for change in report.changes],
                "substitutions": [_substitution(substitution) for substitution in report.substitutions],
                "seconds": round(report.seconds, 3),
                **_coverage(report.coverage),
                "notes": list(report.notes),
            }
        )

    def plan(self, found: Planned, fresh: bool, explain: bool) -> None:
        changes = [_change(change) for change in found.pending.changes]
        _write({"lab": found.lab, "file": found.file, "changes": changes, **_coverage(found.pending.coverage)})

    def restart(self, lab: str, found: Restarted) -> None:
        _write({"lab": lab, **asdict(found)})

    def down(self, report: DownReport, wanted: str | None) -> None:
        labs = [{"lab": lab, "removed": [asdict(one) for one in found]} for lab, found in report.removed.items()]
        _write({"labs": labs, "errors": [_error(error) for error in report.failed]})

    def status(self, report: Status) -> None:
        _write(
            {
                "lab": report.lab,
                "mode": report.mode,
                "file": report.file,
                "namespaces": {name: _namespace(space) for name, space in report.namespaces.items()},
                "engines": [asdict(engine) for engine in report.engines],
                "programs": [asdict(program) for program in report.programs],
                "cables": [{**asdict(cable), "told": str(cable)} for cable in report.cables],
                "substitutions": [_substitution(substitution) for substitution in report.substitutions],
                "drift": [_change(change) for change in report.pending.changes] if report.pending else [],
                **(_coverage(report.pending.coverage) if report.pending else {}),
                **_challenge(report.challenge),
                **({"hosts": [asdict(host) for host in report.hosts]} if report.hosts else {}),
            }
        )

    def labs(self, summaries: Sequence[Summary]) -> None:
        _write([asdict(summary) for summary in summaries])

    def run(self, number: int, of: int) -> None:
        """Nothing: the runs are reported together, at the end."""

    def check(self, result: Result, whole: bool) -> None:
        """Nothing: it is reported with the others, at the end."""

    def verify(self, found: Verified, whole: bool, several: bool) -> None:
        _write(_verified(found))

    def repeated(self, runs: Sequence[Verified], whole: bool) -> None:
        from labctl.lab.repeated import tallies

        _write(
            {
                "lab": runs[-1].lab,
                "file": runs[-1].file,
                "passed": all(run.passed for run in runs),
                "checks": [
                    {"name": each.name, "passed": each.passed, "passes": each.passes, "runs": each.runs}
                    for each in tallies(runs)
                ],
                "runs": [_verified(run) for run in runs],
            }
        )

    def trace(self, found: Traced, most: int) -> None:
        _write(
            {
                "lab": found.lab,
                "command": list(found.what),
                "exit_code": found.exit_code,
                "packets": [_ladder(ladder) for ladder in found.ladders],
                "diagnosis": [asdict(verdict) for verdict in found.diagnosis],
                "others": found.others,
                "unfollowed": found.unfollowed,
                "older_connections": found.older,
                "missed": found.missed,
                "lost_hosts": [error.what for error in found.lost],
                **_challenge(found.challenge),
            }
        )

    def why(self, found: Reached, whole: bool) -> None:
        told = asdict(found)
        told.pop("challenge")
        _write({**told, **_challenge(found.challenge)})

    def challenge(self, found: Begun, several: bool) -> None:
        told = {"symptoms": list(found.symptoms), "works": list(found.works), "failing": len(found.challenge.failing)}
        _write({"lab": found.lab, **_challenge(found.challenge), **told, "checks": found.checks})

    def hint(self, found: Hint) -> None:
        told = [{"label": label, "words": words} for label, words in found.words]
        _write(
            {
                "lab": found.lab,
                "stage": found.stage,
                "of": found.of,
                "check": found.check,
                "told": told,
                **_challenge(found.challenge),
            }
        )

    def answer(self, found: Answer) -> None:
        _write({**asdict(found), **_challenge(found.challenge)})

    def lessons(self, found: Sequence[LessonListed]) -> None:
        _write([asdict(one) for one in found])

    def faults(self, found: Sequence[Listed]) -> None:
        _write([asdict(one) for one in found])

    def impairments(self, found: InForce) -> None:
        in_force = {direction: impairment.as_dict() for direction, impairment in found.by_direction.items()}
        _write({"lab": found.lab, "device": found.device, **in_force})

    def doctor(self, findings: Sequence[Diagnosis], labs: Able, machine: str) -> None:
        from labctl.kernel.drivers import Able

        found = [asdict(finding) for finding in findings]
        _write({"able": labs is Able.ALL, "labs": labs.name.lower(), "findings": found})

    def valid(self, file: str, topology: Topology, warnings: Sequence[Mistake], unseen: Sequence[str]) -> None:
        _write(
            {
                "file": file,
                "lab": topology.name,
                "namespaces": len(topology.namespaces),
                "endpoints": len(topology.ttun),
                "checks": len(topology.checks),
                "warnings": [asdict(warning) for warning in warnings],
                "not_looked_at": list(unseen),
            }
        )

    def script(self, lab: str, language: str, text: str) -> None:
        _write({"lab": lab, "as": language, "script": text})

    def picture(self, lab: str, language: str, text: str, file: str) -> None:
        _write({"lab": lab, "as": language, "file": file, "picture": text})

    def topologies(self, descriptions: Mapping[str, str]) -> None:
        _write([{"name": name, "description": description} for name, description in descriptions.items()])

    def failure(self, error: LabError) -> None:
        """Report what failed. Raise OSError where standard output cannot be written."""
        _write({"error": _error(error)})


def _write(value: Any) -> None:
    """Write a report. Where its reader has gone the command goes on: `| head` is no failure (report/console.py)."""
    try:
        print(json.dumps(value, indent=2), flush=True)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _error(error: LabError) -> dict[str, Any]:
    """Return what failed, why, what to do now, and the exit code; of a file every mistake, with its place."""
    parts: dict[str, Any] = {"what": error.what, "why": error.why, "hint": error.hint, "code": error.exit_code}
    mistakes = getattr(error, "mistakes", ())
    if mistakes:
        parts |= {"why": "", "mistakes": [asdict(mistake) for mistake in mistakes]}
    return parts


def _coverage(coverage: Coverage) -> dict[str, Any]:
    return {"looked_at": list(coverage.looked_at), "not_looked_at": list(coverage.not_looked_at)}


def _challenge(challenge: Challenge | None, **more: Any) -> dict[str, Any]:
    """Return what is told of a challenge that runs; nothing where there is none."""
    if challenge is None:
        return {}
    told = {
        "topology": challenge.topology,
        "seed": challenge.seed,
        "level": challenge.level,
        "seconds": round(challenge.seconds, 1),
        "hints": len(challenge.hints),
        "revealed": challenge.revealed,
        "solved": bool(challenge.solved),
    }
    return {"challenge": {**told, **more}}


def _verified(found: Verified) -> dict[str, Any]:
    standing = found.challenge
    return {
        "lab": found.lab,
        "file": found.file,
        "passed": found.passed,
        "checks": [asdict(result) for result in found.results],
        "drift": [_change(change) for change in found.drift],
        "diagnosis": [asdict(verdict) for verdict in found.diagnosis],
        "lost_hosts": [error.what for error in found.lost],
        **(
            _challenge(
                standing.challenge, broken=list(standing.broken), missing=list(standing.missing), was=list(standing.was)
            )
            if standing
            else {}
        ),
    }


def _change(change: Change) -> dict[str, Any]:
    step = change.step
    return {
        "action": "remove" if step.action == "remove" else "make",
        "subject": step.subject,
        "change": step.words,
        "reason": change.reason,
        "command": change.command,
    }


def _namespace(space: Namespace | None) -> dict[str, Any] | None:
    if space is None:
        return None
    return {
        "interfaces": {name: _link(link) for name, link in space.links.items()},
        "routes": [{**asdict(route), "metrics": dict(route.metrics)} for route in space.routes],
        "rules": [_rule(rule) for rules in space.rules.values() for rule in rules],
        "sysctls": dict(space.sysctls),
        "files": {path: {"kind": file.kind, "mode": f"{file.mode:04o}"} for path, file in space.files.items()},
        "exec": [asdict(line) for line in space.ran],
        "nftables": [asdict(table) for table in space.tables],
        "xfrm": dict(space.xfrm),
    }


def _link(link: Link) -> dict[str, Any]:
    return {**asdict(link), "peer": str(link.peer or ""), "netem": str(link.netem or "")}


def _substitution(substitution: Substitution) -> dict[str, Any]:
    return {**asdict(substitution), "subject": str(substitution.subject)}


def _rule(rule: Rule) -> dict[str, Any]:
    """Return a rule with the words of ip-rule(8) as keys."""
    found = asdict(rule)
    return {"from": found.pop("source"), "not": found.pop("inverted"), **found}


def _ladder(ladder: Ladder) -> dict[str, Any]:
    content = ladder.journey.first.frame.content
    return {
        "number": ladder.number,
        "answers": ladder.answer_to,
        "seen_ns": ladder.journey.first.at,
        "packet": headers(content) if isinstance(content, Packet) else asdict(content) if content else None,
        "end": ladder.end,
        "rungs": [_rung(rung) for rung in ladder.rungs],
    }


def _rung(rung: Rung) -> dict[str, Any]:
    return {
        "hop": rung.hop,
        "namespace": rung.namespace,
        "interface": rung.interface,
        "us": None if rung.at is None else round(rung.at / 1000, 3),
        "within_us": round(rung.within / 1000, 3),
        "frames": rung.frames,
        "headers": [headers(layer) for layer in rung.layers],
        "changes": [change._asdict() for change in rung.changes],
        "words": rung.words,
    }
