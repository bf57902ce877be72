"""Answers that are not those that the file means: from another namespace, or where it means none."""

from __future__ import annotations

from collections.abc import Iterator

from labctl.diagnosis import fixes
from labctl.diagnosis.facts import Case
from labctl.diagnosis.reasons import Reason
from labctl.diagnosis.verdict import Verdict, Witness


def by_another(case: Case) -> Iterator[Verdict]:
    """Yield who answers in place of the namespace that is meant, or where none is meant to."""
    first = case.answers[0].first.station if case.answers else None
    meant, to = case.asked.receiver, str(case.asked.to)
    if first is None or case.outcome not in ("answered", "differs") or first.namespace == meant:
        return
    seen = Witness(str(first.ref), "answers", "seen here first")
    owner = next((ref for ref, _ in case.owners_of(to) if ref.namespace == first.namespace), None)
    by_file = f", which {meant} has by the file" if meant else ", which none has by the file"
    if owner is not None:
        words = f"{owner} has the address {to}{by_file}, and answers"
        evidence = (Witness(str(owner), "address", to), seen)
        yield Verdict(str(owner), Reason.ADDRESS_ELSEWHERE, words, evidence, fixes.up(case))
        return
    words = f"{first.namespace} answers for {to}{by_file}"
    yield Verdict(str(first.ref), Reason.ANSWERED_BY_ANOTHER, words, (seen,), fixes.up(case))
