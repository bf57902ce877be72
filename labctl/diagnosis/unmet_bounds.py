"""Why a check measures another loss, time or throughput than its bounds allow: what was counted along its way.

So many packets are not looked at one by one. Where they were dropped is counted, by engines, queues and sockets; where
none were, it is known which engine, or netem, delays them, or carries no more of them.
"""

from __future__ import annotations

from collections.abc import Iterator

from labctl.diagnosis import engines, filters, sockets
from labctl.diagnosis.facts import Case
from labctl.diagnosis.path import Kind
from labctl.diagnosis.reasons import Reason
from labctl.diagnosis.verdict import Verdict

_SLOWS = ("delay", "jitter", "rate")
_IMPAIRS = {"loss": (), "rtt": _SLOWS, "throughput": (*_SLOWS, "loss", "corrupt", "reorder")}
"""What of an impairment changes a number, beside the packets that it drops, which are counted."""

_COUNTED = {
    Kind.READ: (engines.drops, filters.overflow),
    Kind.WRITE: (engines.drops,),
    Kind.DELIVER: (filters.queue, sockets.buffers),
}
"""What tells of drops at a stage; at the others a queue does."""


def verdicts(case: Case) -> list[Verdict]:
    """Return the causes of what was measured, each once, or that they are not known. There is at least one."""
    first: dict[tuple[str, Reason], Verdict] = {}
    for verdict in list(_dropped(case)) or _impaired(case):
        first.setdefault((verdict.hop, verdict.reason), verdict)
    return list(first.values()) or [_unknown(case)]


def _dropped(case: Case) -> Iterator[Verdict]:
    for number, stage in enumerate(case.stages):
        for question in _COUNTED.get(stage.kind, (filters.queue,)):
            yield from question(case, number)


def _impaired(case: Case) -> Iterator[Verdict]:
    words = {word for measured in case.asked.measured for word in _IMPAIRS[measured]}
    for number, stage in enumerate(case.stages):
        impairs = engines.impairs if stage.kind in (Kind.READ, Kind.WRITE) else filters.impairs
        yield from impairs(case, number, words)


def _unknown(case: Case) -> Verdict:
    words = "nothing that was counted on its way explains what was measured; why it is so is not known"
    return Verdict(case.asked.sender, Reason.UNKNOWN, words, (), "")
