"""Answers that are not those that the check means: from another namespace, or where it means none."""

from __future__ import annotations

from collections.abc import Iterator

from labctl.diagnosis import fixes
from labctl.diagnosis.facts import Case
from labctl.diagnosis.reasons import Reason
from labctl.diagnosis.verdict import Verdict, Witness
from labctl.topology.interface_ref import InterfaceRef


def by_another(case: Case) -> Iterator[Verdict]:
    """Yield who answers in place of the namespace that is meant, or where none is meant to."""
    first = case.answers[0].first.station if case.answers else None
    meant, to = case.asked.receiver, str(case.asked.to)
    if first is None or case.outcome not in ("answered", "differs") or first.namespace == meant:
        return
    seen = Witness(str(first.ref), "answers", "seen here first")
    if not meant and (written := _by_file(case, first.namespace)):
        yield _unwanted(case, written, seen)
        return
    owner = next((ref for ref, _ in case.owners_of(to) if ref.namespace == first.namespace), None)
    by_file = f", which {meant} has by the file" if meant else ", which none has by the file"
    if owner is not None:
        words = f"{owner} has the address {to}{by_file}, and answers"
        evidence = (Witness(str(owner), "address", to), seen)
        yield Verdict(str(owner), Reason.ADDRESS_ELSEWHERE, words, evidence, fixes.up(case))
        return
    words = f"{first.namespace} answers for {to}{by_file}"
    yield Verdict(str(first.ref), Reason.ANSWERED_BY_ANOTHER, words, (seen,), fixes.up(case))


def _by_file(case: Case, namespace: str) -> InterfaceRef | None:
    """Return the interface of a namespace that by the file has the address which the check asks for."""
    own = (InterfaceRef(namespace, name) for name in case.topology.namespaces[namespace].interfaces)
    return next((ref for ref in own if fixes.of_address(case, ref, case.asked.to)), None)


def _unwanted(case: Case, owner: InterfaceRef, seen: Witness) -> Verdict:
    """Return that an interface answers that has the address by the file, where the check wants no answer."""
    to = str(case.asked.to)
    words = f"{owner} has the address {to} by the file, and answers; the check wants no answer"
    text = "take this address away, or expect an answer in the check"
    path = fixes.of_address(case, owner, case.asked.to)
    fix = fixes.up(case) if case.changes else fixes.write(case, *path, text=text)
    return Verdict(str(owner), Reason.ANSWERED, words, (Witness(str(owner), "address", to), seen), fix)
