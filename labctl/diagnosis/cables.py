"""Cables between hosts: their engines, and whether the network between the hosts lets their datagrams through.

An end of a cable measures all the time whether its datagrams and those of the other end arrive (engine/cable/line.py),
and how large they may be; the carrier of its interface follows. So where the network is closed is known without a
packet of the probe, and of both ends at once.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator, Mapping

from labctl.diagnosis import fixes
from labctl.diagnosis.facts import CableEnd, Case
from labctl.diagnosis.reasons import Reason
from labctl.diagnosis.verdict import Verdict, Witness
from labctl.engine.cable.counters import DROPS_IN, DROPS_OUT, words_for
from labctl.topology.cables import host_of
from labctl.topology.interface_ref import InterfaceRef

_REFUSED = {
    errno.EPERM: (Reason.FIREWALL, "let through what it sends"),
    errno.ENETUNREACH: (Reason.NO_ROUTE, "a route"),
    errno.EHOSTUNREACH: (Reason.NO_ROUTE, "a route"),
}
"""Why a host does not send, by the errno of sendmsg(2), and what lets it."""


def not_running(case: Case, ref: InterfaceRef) -> Iterator[Verdict]:
    """Yield that the engine of an end of a cable has ended or is stopped: it carries nothing then."""
    end = case.cables.get(ref)
    if end is None or (end.alive and not end.stopped):
        return
    seen = (Witness(str(ref), f"cable, on {_host(case, ref)}", end.words),)
    if not end.alive:
        words = f"the engine of the cable has ended on {_host(case, ref)}"
        yield Verdict(str(ref), Reason.ENGINE_ENDED, words, seen, fixes.up(case))
        return
    words = f"the engine of the cable is stopped on {_host(case, ref)}: it carries nothing until it is continued"
    yield Verdict(str(ref), Reason.ENGINE_STOPPED, words, seen, fixes.up(case))


def closed(case: Case, ref: InterfaceRef, other: InterfaceRef | None) -> Iterator[Verdict]:
    """Yield why no carrier comes over the cable of an interface, whose engine runs: the other one, or what is between.

    The measurements of both ends describe the cable, whichever end is asked for.
    """
    if ref not in case.cables or other is None:
        return
    ends = {each: case.cables[each] for each in sorted((ref, other)) if each in case.cables}
    ended = list(not_running(case, other))
    yield from ended or _blocked(case, ends, {ref: other, other: ref})


def _blocked(
    case: Case, ends: Mapping[InterfaceRef, CableEnd], others: Mapping[InterfaceRef, InterfaceRef]
) -> Iterator[Verdict]:
    """Yield which way between the hosts is closed: one, both, or to what is not small."""
    evidence = tuple(Witness(str(ref), f"cable, on {_host(case, ref)}", end.words) for ref, end in ends.items())
    ports = {ref: f"UDP port {end.port} of {_host(case, ref)}" for ref, end in ends.items()}
    silent = [ref for ref, end in ends.items() if end.state == "nothing_in"]
    if len(silent) == 2:
        one, other = silent
        words = f"nothing arrives between {_host(case, one)} and {_host(case, other)}, in either direction"
        fix = f"let through what goes to {ports[one]} and {ports[other]}"
        yield Verdict(str(one), Reason.NO_CARRIER, words, evidence, fix)
        return
    for ref in silent:
        yield _one_way(ends, ref, others[ref], (_host(case, others[ref]), ports[ref]), evidence)
    for ref, end in ends.items():
        if end.state == "too_small" and not silent:
            words = (
                f"only small datagrams from {_host(case, ref)} arrive on {_host(case, others[ref])}: "
                f"the MTU of the way between them is smaller"
            )
            yield Verdict(str(ref), Reason.MTU_BLACK_HOLE, words, evidence, "")


def _one_way(
    ends: Mapping[InterfaceRef, CableEnd],
    silent: InterfaceRef,
    other: InterfaceRef,
    way: tuple[str, str],
    evidence: tuple[Witness, ...],
) -> Verdict:
    """Return why nothing comes to an end that the other one hears: so both have the same key."""
    (sender, port), number = way, ends[other].refused if other in ends else 0
    if number:
        words = f"{sender} does not send to {port}: {os.strerror(number)}"
        reason, fix = _REFUSED.get(number, (Reason.NO_CARRIER, "let it send"))
        return Verdict(str(other), reason, words, evidence, f"on {sender}: {fix} to {port}")
    end = ends[silent]
    words = f"what {sender} sends to {port} does not arrive" + (f", but {end.instead}" if end.instead else "")
    if end.changed:
        return Verdict(
            str(silent), Reason.CORRUPTED, words, evidence, f"nothing may change what {sender} sends to {port}"
        )
    if end.instead:
        fix = f"nothing may translate the port that {sender} sends from to {port}"
        return Verdict(str(silent), Reason.STRANGER, words, evidence, fix)
    return Verdict(str(silent), Reason.NO_CARRIER, words, evidence, f"let through what goes to {port}")


def drops(case: Case, number: int) -> Iterator[Verdict]:
    """Yield what the engines of a cable dropped of frames that went in at one end and did not come out at the other."""
    stage = case.stages[number]
    for ref, names in ((stage.before, DROPS_OUT), (stage.ref, (*DROPS_IN, "lost_datagrams"))):
        end = case.cables.get(ref) if ref else None
        for name in names if end else ():
            count = end.counted.get(name, 0) if end else 0
            if count > 0:
                words = f"the cable that ends at {ref}, on {_host(case, ref)}, has dropped: {words_for(name, count)}"
                seen = Witness(str(ref), name, f"+{count}")
                yield Verdict(str(ref), Reason.ENGINE_DROP, words, (seen,), "")


def _host(case: Case, ref: InterfaceRef | None) -> str:
    """Return the host of an end of a cable."""
    part, named = case.topology.part, None
    if ref is not None and ref.namespace in case.topology.namespaces:
        named = host_of(case.topology, ref.namespace)
    return named or (part.host if part else "its host")
