"""What a ping check concludes from the replies to its echo requests: pure.

Without bounds every request has to get its reply. With `loss` or `rtt` as many are sent as it takes to be sure, up to
`count`: their numbers are looked at after 20, 40, 80 and so on, which the limits of `confidence` allow.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from labctl.checks.bounds import HOW_SURE, Answer, compared, in_words, milliseconds, percent, together, told
from labctl.checks.confidence import Limits, chance, quantile
from labctl.checks.results import Carried, Outcome, State
from labctl.topology.model import Ping

_FIRST = 20


@dataclass
class Echoes:
    """How many requests were sent, and between which two times in seconds the round trip of each reply is known to be.

    The two differ where processes waited for a CPU meanwhile: the time is the greater, or less by what they waited.
    """

    sent: int = 0
    times: list[tuple[float, float]] = field(default_factory=list)

    @property
    def lost(self) -> int:
        """Return how many requests got no reply."""
        return self.sent - len(self.times)


def batches(asked: Ping) -> Iterator[range]:
    """Yield the numbers of the requests that are sent before their replies are looked at."""
    if not asked.bounded:
        yield range(asked.count)
        return
    begin, end = 0, _FIRST
    while begin < asked.count:
        yield range(begin, min(end, asked.count))
        begin, end = end, 2 * end


def answer(asked: Ping, seen: Echoes) -> Answer:
    """Return what the replies say to the bounds, or to all having to come."""
    if asked.loss is None and seen.lost:
        return "fails"
    answers: list[Answer] = []
    if asked.loss is not None:
        answers.append(compared(_loss(seen), asked.loss.bounds))
    if asked.rtt is not None:
        answers.append(compared(_rtt(seen, asked.rtt.percentile), asked.rtt.bounds))
    return together(answers)


def outcome(asked: Ping, seen: Echoes) -> Outcome:
    """Return how the ping ended."""
    received, carried = len(seen.times), Carried(len(seen.times), seen.sent)
    if not received:
        return Outcome("silent", f"{seen.sent} sent, no reply", carried)
    if not asked.bounded:
        state: State = "differs" if seen.lost else "answered"
        return Outcome(state, f"{seen.sent} sent, {received} repl{'y' if received == 1 else 'ies'}", carried)
    words = _observed(asked, seen)
    match answer(asked, seen):
        case "holds":
            return Outcome("answered", words, carried)
        case "fails":
            return Outcome("differs", words, carried)
    return Outcome("undecided", f"not decided by {seen.sent} requests: {words}", carried)


def _observed(asked: Ping, seen: Echoes) -> str:
    lost, parts = f"{seen.lost} of {seen.sent} lost", []
    parts.append(lost if asked.loss is None else told(lost, _loss(seen), percent))
    if asked.rtt is not None:
        most = sorted(high for _, high in seen.times)
        middle = most[max(0, -(-len(most) * asked.rtt.percentile // 100) - 1)]
        number = f"rtt {_name(asked.rtt.percentile)} {milliseconds(middle)}"
        parts.append(told(number, _rtt(seen, asked.rtt.percentile), milliseconds))
    return f"{', '.join(parts)}; {HOW_SURE}"


def _loss(seen: Echoes) -> Limits:
    return chance(seen.lost, seen.sent)


def _rtt(seen: Echoes, percentile: int) -> Limits:
    return quantile(percentile / 100, [low for low, _ in seen.times], [high for _, high in seen.times])


def expectation(asked: Ping) -> str:
    """Return what has to come of the requests, in words."""
    parts = [] if asked.loss else ["every reply"]
    if asked.loss is not None:
        parts.append(f"loss {in_words(asked.loss.at_least, asked.loss.at_most)}")
    if asked.rtt is not None:
        parts.append(f"rtt {_name(asked.rtt.percentile)} {in_words(asked.rtt.at_least, asked.rtt.at_most)}")
    return ", ".join(parts)


def _name(percentile: int) -> str:
    return "median" if percentile == 50 else f"p{percentile}"
