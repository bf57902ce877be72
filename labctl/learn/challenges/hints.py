"""The hints of a challenge: what the diagnosis says of the lab as it is now, in three stages.

1 what to look at, and with which command; 2 where; 3 all that the diagnosis says. A challenge of two faults begins with
the first stage again once another one is the cause. What the diagnosis does not know the challenge knows itself.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from functools import partial

from labctl.diagnosis.reasons import Reason
from labctl.diagnosis.verdict import Verdict
from labctl.errors import UsageError
from labctl.lab.challenge import write
from labctl.lab.challenge_checks import first_that_fails
from labctl.lab.own_labs import context_of
from labctl.lab.state import State
from labctl.learn.challenges.challenge import Known, known
from labctl.learn.challenges.choice import Placed
from labctl.report.challenge_values import Hint

STAGES = 3

_LOOKS: dict[str, tuple[Reason, ...]] = {
    "the engines of the tunnel, whether they run, and what they count: labctl status, labctl logs": (
        Reason.ENGINE_ENDED, Reason.ENGINE_STOPPED, Reason.ENGINE_NOT_READING, Reason.ENGINE_BOUND_ELSEWHERE,
        Reason.ENGINE_SENDS_ELSEWHERE, Reason.STRANGER, Reason.ENGINE_DROP,
    ),
    "how packets are routed, there and back: ip route get ADDRESS, ip route, ip rule": (
        Reason.NO_ROUTE, Reason.ROUTE_ELSEWHERE, Reason.ROUTE_REJECTS, Reason.WRONG_NEXT_HOP, Reason.WRONG_SOURCE,
        Reason.ROUTING_LOOP,
    ),
    "the links, which are up, and what they are joined to: ip -br link, bridge link": (
        Reason.INTERFACE_MISSING, Reason.CABLED_ELSEWHERE, Reason.LINK_DOWN, Reason.NO_CARRIER,
        Reason.PORT_NOT_FORWARDING,
    ),
    "the addresses, where each is, and with which prefix: ip -br addr": (
        Reason.ADDRESS_MISSING, Reason.ADDRESS_ELSEWHERE, Reason.ADDRESS_DUPLICATE, Reason.WRONG_PREFIX,
        Reason.IPV6_OFF, Reason.TENTATIVE, Reason.DAD_FAILED, Reason.ANSWERED_BY_ANOTHER, Reason.ANSWERED,
    ),
    "how neighbours find each other: ip neigh, tcpdump -n arp or icmp6": (
        Reason.NEIGHBOUR_FAILED, Reason.NEIGHBOUR_WRONG, Reason.NO_ARP,
    ),
    "sizes: ip link shows the MTU of each link, ping -s sends larger packets": (
        Reason.MTU, Reason.MTU_BLACK_HOLE, Reason.ICMP_FILTERED,
    ),
    "settings of the kernel below /proc/sys/net: ip_forward, rp_filter, icmp_echo_ignore_all, ip_default_ttl": (
        Reason.FORWARDING_OFF, Reason.RP_FILTER, Reason.MARTIAN, Reason.ECHO_IGNORED, Reason.TTL,
    ),
    "what drops or rewrites packets: nft list ruleset, ip xfrm policy, tc qdisc": (
        Reason.FIREWALL, Reason.NAT, Reason.TRAFFIC_CONTROL, Reason.XFRM, Reason.CORRUPTED,
    ),
    "who listens on which address and port, and runs: ss -lntup, ps": (
        Reason.NOT_LISTENING, Reason.OTHER_LISTENER, Reason.LISTENS_ELSEWHERE, Reason.PROGRAM_STOPPED,
        Reason.SOCKET_BUFFER,
    ),
    "what a tunnel is told to do to packets: labctl impair NS:DEVICE --show": (Reason.IMPAIRED,),
}  # fmt: skip
"""What to look at, for each reason."""


def hint(lab: str) -> Hint:
    """Return the next hint for what is wrong in a lab now, and count it.

    Raise UsageError where no challenge runs in it, or where nothing fails any more.
    """
    found = known(lab)
    if found.challenge.solved:
        raise UsageError(f"the challenge of lab {lab} is solved", "", "labctl challenge begins another one")
    shown = [placed.injected.check for placed in found.faults]
    check, causes = context_of(lab).call(partial(first_that_fails, lab, shown))
    if not check:
        raise UsageError("every check holds now", "", "labctl verify says whether that is all")
    verdict = _verdict(found, causes)
    cause = _digest(found, verdict)
    before = found.challenge.hints.count(cause)
    stage = min(before + 1, STAGES)
    challenge = found.challenge
    if before < STAGES:  # the last one again is none more
        challenge = replace(challenge, hints=(*challenge.hints, cause))
        context_of(lab).call(partial(write, State(lab), challenge))
    return Hint(lab, challenge, stage, STAGES, check, tuple(_words(verdict, stage)), (verdict.hop, verdict.reason))


def _digest(found: Known, verdict: Verdict) -> str:
    """Return a name for a cause that says nothing: of the fault that it is of, which may be seen in several ways."""
    named = ((verdict.hop, verdict.reason) in placed.injected.expected for placed in found.faults)
    fault = next((number for number, is_its in enumerate(named) if is_its), f"{verdict.hop} {verdict.reason}")
    return hashlib.blake2b(f"{found.challenge.seed} {fault}".encode(), digest_size=6).hexdigest()


def _verdict(found: Known, causes: tuple[Verdict, ...]) -> Verdict:
    """Return what the diagnosis says; where it does not know, what the challenge knows of its first fault."""
    sure = [verdict for verdict in causes if verdict.reason is not Reason.UNKNOWN]
    return sure[0] if sure else _of_fault(found.faults[0])


def _of_fault(placed: Placed) -> Verdict:
    hop, reason = min(placed.injected.expected, key=lambda pair: (":" not in pair[0], pair))
    return Verdict(hop, reason, placed.fault.words, (), "")


def _words(verdict: Verdict, stage: int) -> Iterator[tuple[str, str]]:
    look_at = next((words for words, reasons in _LOOKS.items() if verdict.reason in reasons), "every hop of the way")
    yield "look at", look_at
    if stage > 1:
        yield "where", verdict.where or verdict.hop
    if stage > 2:
        yield "why", verdict.words
        for each in verdict.evidence:
            yield "seen", f"{each.place} {each.what}: {each.value}"
        if verdict.fix and not verdict.fix.startswith("labctl up "):  # which a challenge refuses
            yield "do", verdict.fix
