"""The documented JSON (README, JSON): what other programs may rely on. Keys are added, never renamed."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from labctl.checks.outcome import Result
from labctl.engine.impair_words import Impairment
from labctl.kernel.capabilities import Finding
from labctl.plan.facts import Namespace
from labctl.plan.reasons import Change
from labctl.plan.steps import Removal

if TYPE_CHECKING:
    from labctl.lab.status import Status, Summary
    from labctl.lab.up import UpReport


def text(value: Any) -> str:
    return json.dumps(value, indent=2)


def up(report: UpReport) -> dict[str, Any]:
    return {
        "lab": report.lab,
        "mode": report.mode,
        "changes": [_change(change) for change in report.changes],
        "substitutions": [asdict(substitution) for substitution in report.substitutions],
        "seconds": round(report.seconds, 3),
    }


def plan(lab: str, changes: Sequence[Change]) -> dict[str, Any]:
    return {"lab": lab, "changes": [_change(change) for change in changes]}


def _change(change: Change) -> dict[str, Any]:
    step = change.step
    return {
        "action": "remove" if isinstance(step, Removal) else "make",
        "subject": step.subject,
        "change": step.words,
        "reason": change.reason,
        "command": change.command,
    }


def verify(lab: str, results: Sequence[Result]) -> dict[str, Any]:
    return {
        "lab": lab,
        "passed": all(result.passed for result in results),
        "checks": [asdict(result) for result in results],
    }


def status(report: Status) -> dict[str, Any]:
    return {
        "lab": report.lab,
        "mode": report.mode,
        "namespaces": {name: _namespace(space) for name, space in report.namespaces.items()},
        "engines": [asdict(engine) for engine in report.engines],
        "substitutions": [asdict(substitution) for substitution in report.substitutions],
        "drift": [_change(change) for change in report.drift],
    }


def _namespace(space: Namespace | None) -> dict[str, Any] | None:
    if space is None:
        return None
    return {
        "interfaces": {name: asdict(link) for name, link in space.links.items()},
        "routes": [asdict(route) for route in space.routes],
        "sysctls": dict(space.sysctls),
    }


def impairments(lab: str, device: str, in_force: Mapping[str, Impairment]) -> dict[str, Any]:
    return {"lab": lab, "device": device, **{way: found.as_dict() for way, found in in_force.items()}}


def labs(summaries: Iterable[Summary]) -> list[dict[str, Any]]:
    return [asdict(summary) for summary in summaries]


def doctor(findings: Iterable[Finding], able: bool) -> dict[str, Any]:
    return {"able": able, "findings": [asdict(finding) for finding in findings]}
