"""What follows from another cause: the routes of an address that is gone, the carrier of a cable whose end is down.

A student who is told both repairs the wrong one first. So of the causes in one namespace only those are told that are
no symptoms of others there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from labctl.diagnosis.reasons import Reason
from labctl.diagnosis.verdict import Verdict

_BY_A_LOST_ADDRESS = (Reason.NO_ROUTE, Reason.WRONG_NEXT_HOP, Reason.NEIGHBOUR_FAILED, Reason.ROUTE_ELSEWHERE)
_BY_A_LOST_INTERFACE = (
    Reason.ADDRESS_MISSING,
    Reason.ADDRESS_ELSEWHERE,
    Reason.NO_ROUTE,
    Reason.ROUTE_ELSEWHERE,
    Reason.NO_CARRIER,
)
_FOLLOWS: Mapping[Reason, tuple[Reason, ...]] = {
    Reason.ADDRESS_MISSING: _BY_A_LOST_ADDRESS,
    Reason.ADDRESS_ELSEWHERE: (Reason.MARTIAN, *_BY_A_LOST_ADDRESS),
    Reason.ADDRESS_DUPLICATE: (Reason.MARTIAN, Reason.WRONG_NEXT_HOP),
    Reason.IPV6_OFF: (Reason.ADDRESS_MISSING, *_BY_A_LOST_ADDRESS),
    Reason.ROUTE_ELSEWHERE: (Reason.MARTIAN,),
    Reason.NO_ARP: (Reason.NEIGHBOUR_WRONG,),  # without ARP a neighbour is taken to have the interface's own address
    Reason.FIREWALL: (Reason.NAT,),  # a rule took it, or set what is translated; other packets passed with their NAT
    Reason.LINK_DOWN: (Reason.NO_ROUTE, Reason.ROUTE_ELSEWHERE, Reason.NO_CARRIER),
    Reason.INTERFACE_MISSING: _BY_A_LOST_INTERFACE,
    Reason.CABLED_ELSEWHERE: _BY_A_LOST_INTERFACE,
}
"""What a cause brings along in its namespace: routes go with the address, the link, the interface."""

_ONCE = (Reason.FORWARDING_OFF, Reason.NAT)
"""What is one cause in a namespace at however many interfaces it shows."""


def without_symptoms(found: Iterable[Verdict]) -> list[Verdict]:
    """Return the verdicts without what follows from another one of them."""
    known, kept = list(found), list[Verdict]()
    for verdict in known:
        here = [each for each in known if each is not verdict and namespace_of(each) == namespace_of(verdict)]
        follows = any(verdict.reason in _FOLLOWS.get(each.reason, ()) for each in here)
        again = verdict.reason in _ONCE and any(
            each.reason is verdict.reason and namespace_of(each) == namespace_of(verdict) for each in kept
        )
        if not (follows or again):
            kept.append(verdict)
    return kept


def namespace_of(verdict: Verdict) -> str:
    """Return the namespace of the hop of a verdict."""
    return verdict.hop.partition(":")[0]
