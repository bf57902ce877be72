"""The documented JSON (README, JSON): what other programs may rely on. Keys are added, never renamed."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from labctl.engine.packets.impairment import Impairment
from labctl.kernel.capabilities import Able, Diagnosis
from labctl.plan.coverage import Coverage
from labctl.plan.facts import Namespace
from labctl.plan.reasons import Change
from labctl.plan.routes import Rule
from labctl.plan.steps import Removal

if TYPE_CHECKING:
    from labctl.errors import LabError
    from labctl.lab.events import Removed
    from labctl.lab.reconcile import Planned
    from labctl.lab.status import EngineStatus, Status, Summary
    from labctl.lab.up import UpReport
    from labctl.lab.verify import Verified
    from labctl.topology.mistakes import Mistake
    from labctl.topology.model import Topology


def text(value: Any) -> str:
    return json.dumps(value, indent=2)


def failure(error: LabError) -> dict[str, Any]:
    """What failed, why, what to do now, and the exit code; of a file every mistake, with its place."""
    told: dict[str, Any] = {"what": error.what, "why": error.why, "hint": error.hint, "code": error.exit_code}
    mistakes = getattr(error, "mistakes", ())
    if mistakes:
        told |= {"why": "", "mistakes": [asdict(mistake) for mistake in mistakes]}
    return {"error": told}


def valid(file: str, topology: Topology, warnings: Iterable[Mistake]) -> dict[str, Any]:
    return {
        "file": file,
        "lab": topology.name,
        "namespaces": len(topology.namespaces),
        "endpoints": len(topology.ttun),
        "checks": len(topology.checks),
        "warnings": [asdict(warning) for warning in warnings],
    }


def down(removed: Mapping[str, Sequence[Removed]], failed: Iterable[LabError]) -> dict[str, Any]:
    return {
        "labs": [{"lab": lab, "removed": [asdict(one) for one in found]} for lab, found in removed.items()],
        "errors": [failure(error)["error"] for error in failed],
    }


def up(report: UpReport) -> dict[str, Any]:
    return {
        "lab": report.lab,
        "mode": report.mode,
        "changes": [_change(change) for change in report.changes],
        "substitutions": [asdict(substitution) for substitution in report.substitutions],
        "seconds": round(report.seconds, 3),
        **_sight(report.coverage),
        "notes": list(report.notes),
    }


def plan(found: Planned) -> dict[str, Any]:
    return {
        "lab": found.lab,
        "file": found.file,
        "changes": [_change(change) for change in found.pending.changes],
        **_sight(found.pending.coverage),
    }


def _sight(coverage: Coverage) -> dict[str, Any]:
    return {"looked_at": list(coverage.looked_at), "not_looked_at": list(coverage.not_looked_at)}


def _change(change: Change) -> dict[str, Any]:
    step = change.step
    return {
        "action": "remove" if isinstance(step, Removal) else "make",
        "subject": step.subject,
        "change": step.words,
        "reason": change.reason,
        "command": change.command,
    }


def verify(found: Verified) -> dict[str, Any]:
    return {
        "lab": found.lab,
        "file": found.file,
        "passed": all(result.passed for result in found.results),
        "checks": [asdict(result) for result in found.results],
        "drift": [_change(change) for change in found.drift],
    }


def status(report: Status) -> dict[str, Any]:
    return {
        "lab": report.lab,
        "mode": report.mode,
        "file": report.file,
        "namespaces": {name: _namespace(space) for name, space in report.namespaces.items()},
        "engines": [asdict(engine) for engine in report.engines],
        "substitutions": [asdict(substitution) for substitution in report.substitutions],
        "drift": [_change(change) for change in report.pending.changes] if report.pending else [],
        **(_sight(report.pending.coverage) if report.pending else {}),
    }


def restart(lab: str, engines: Iterable[EngineStatus]) -> dict[str, Any]:
    return {"lab": lab, "engines": [asdict(engine) for engine in engines]}


def _namespace(space: Namespace | None) -> dict[str, Any] | None:
    if space is None:
        return None
    return {
        "interfaces": {name: asdict(link) for name, link in space.links.items()},
        "routes": [{**asdict(route), "metrics": dict(route.metrics)} for route in space.routes],
        "rules": [_rule(rule) for rules in space.rules.values() for rule in rules],
        "sysctls": dict(space.sysctls),
        "nftables": [asdict(table) for table in space.tables],
        "xfrm": dict(space.xfrm),
    }


def _rule(rule: Rule) -> dict[str, Any]:
    """A rule with the words of ip-rule(8) as keys."""
    found = asdict(rule)
    return {"from": found.pop("source"), "not": found.pop("inverted"), **found}


def impairments(lab: str, device: str, in_force: Mapping[str, Impairment]) -> dict[str, Any]:
    return {"lab": lab, "device": device, **{way: found.as_dict() for way, found in in_force.items()}}


def labs(summaries: Iterable[Summary]) -> list[dict[str, Any]]:
    return [asdict(summary) for summary in summaries]


def doctor(findings: Iterable[Diagnosis], labs: Able) -> dict[str, Any]:
    return {"able": labs is Able.ALL, "labs": labs.name.lower(), "findings": [asdict(finding) for finding in findings]}
