"""The ladder of the last ping as JSON: of the request, and of what answers it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from labctl.report.ladder import place, rung_words, title
from labctl.trace.dissect import Icmp, Packet
from labctl.trace.ladder import Facts, Ladder, ladders
from labctl.web.lines import Lines
from labctl.web.moves import legs

_REQUESTS = {4: 8, 6: 128}  # echo request by IP version: RFC 792, RFC 4443 4.1


def last_ping(over: Sequence[Ladder], lines: Lines, facts: Facts) -> dict[str, Any] | None:
    """Return the last echo request among some packets that left its namespace, with its answer; None without one."""
    asked = next(
        (one for one in reversed(over) if _is_request(one.journey.packet) and any(legs(one.journey, lines))), None
    )
    if asked is None:
        return None
    answers = [one.journey for one in over if one.answer_to == asked.number]
    asked, answer, *_ = (*ladders((asked.journey, *answers), facts), None)
    began = asked.journey.first.at
    told = {"title": title(asked), "end": str(asked.end), "rungs": _rungs(asked, began)}
    if answer is not None:
        took = (answer.journey.last.at - began) / 1000
        told |= {"answer": title(answer), "answered": _rungs(answer, began), "took": f"{took:.0f} µs"}
    return told


def _is_request(packet: Packet | None) -> bool:
    message = packet.transport if packet else None
    return isinstance(message, Icmp) and packet is not None and message.kind == _REQUESTS.get(packet.version)


def _rungs(ladder: Ladder, began: int) -> list[dict[str, str]]:
    rungs: list[dict[str, str]] = []
    before: tuple[Packet, ...] = ()
    offset = ladder.journey.first.at - began - (ladder.rungs[0].at or 0)
    for rung in ladder.rungs:
        at = "" if rung.at is None else f"{(rung.at + offset) / 1000:.0f}"
        at += f" ± {rung.within / 1000:.0f}" if at and rung.within else ""
        words = "; ".join(rung_words(rung, before))
        rungs.append({"at": at, "place": place(rung), "hop": str(rung.hop), "words": words})
        before = rung.layers or before
    return rungs
