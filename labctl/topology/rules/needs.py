"""Which checks need which: each is there, and none needs itself, by whatever way."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from labctl.topology.model import Check, Topology
from labctl.topology.rules.finding import Finding
from labctl.topology.unknown_names import did_you_mean


def of_needs(topology: Topology) -> Iterator[Finding]:
    """Yield what is wrong with what the checks of a topology need."""
    by_name = {check.name: check for check in topology.checks}
    for index, check in enumerate(topology.checks):
        for position, name in enumerate(check.needs):
            path = ("checks", index, "needs", position)
            if name not in by_name:
                hint = did_you_mean(name, (other for other in by_name if other != check.name))
                yield Finding(path, f"there is no check named {name!r}", hint, (("checks",),))
            elif way := _way(by_name, name, check.name):
                what = f"the check {check.name!r} needs itself"
                through = f", through {' and '.join(map(repr, way))}" if way != [check.name] else ""
                yield Finding(path, f"{what}{through}", "none of them could ever be asked: leave one out")


def _way(checks: Mapping[str, Check], start: str, end: str) -> list[str]:
    """Return the checks from one to another that it needs, without the latter; empty where it does not need it."""
    if start == end:
        return [end]
    ways: dict[str, list[str]] = {start: [start]}
    for name in (open_ := [start]):
        for needed in checks[name].needs:
            if needed == end:
                return ways[name]
            if needed in checks and needed not in ways:
                ways[needed] = [*ways[name], needed]
                open_.append(needed)
    return []
