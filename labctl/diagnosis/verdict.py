"""What a diagnosis says: the hop, the reason, the measurements that show it, and what mends it."""

from __future__ import annotations

from collections.abc import Iterable

from labctl.diagnosis.reasons import Reason
from labctl.frozen import frozen


@frozen
class Witness:
    """One measurement: where it was made, what was measured, and what came of it."""

    place: str  # NAMESPACE:INTERFACE, NAMESPACE, or FILE:LINE
    what: str
    value: str


@frozen
class Verdict:
    """Why packets are lost at one hop. `checks` are the names of those that fail for it."""

    hop: str  # NAMESPACE:INTERFACE or NAMESPACE; for what is unknown "X and Y", the places between which it is lost
    reason: Reason
    words: str
    evidence: tuple[Witness, ...]
    fix: str  # a command to type, or the line of the file that is wrong; empty where none is known
    checks: tuple[str, ...] = ()
    where: str = ""  # the hop in words, with the way of the packet there; empty where the hop says it all

    def __str__(self) -> str:
        seen = [f"seen   {each.place} {each.what}: {each.value}" for each in self.evidence]
        lines = [f"where  {self.where or self.hop}", f"why    {self.words}", *seen]
        return "\n".join([*lines, f"do     {self.fix}"] if self.fix else lines)


def in_a_line(found: Iterable[Verdict]) -> str:
    """Return several causes in a line: where each is, and why."""
    return "; ".join(f"{verdict.hop}: {verdict.words}" for verdict in found)
