"""Destinations that no namespace of the lab has: where a packet for one ends, and what the kernel says of it there."""

from __future__ import annotations

import errno
from collections.abc import Iterator

from labctl.diagnosis import fixes
from labctl.diagnosis.facts import Case
from labctl.diagnosis.path import Stage
from labctl.diagnosis.reasons import Reason
from labctl.diagnosis.verdict import Verdict, Witness
from labctl.errors import kernel_words
from labctl.kernel.lookup import NoWay


def has_owner(case: Case, stage: Stage) -> bool:
    """Return whether an interface of the lab has the address that a packet goes to."""
    return any(True for _ in case.owners_of(str(stage.flow.to)))


_NOT_ROUTED = ("IpExtInNoRoutes", "IpInAddrErrors", "Ip6InNoRoutes", "Ip6InAddrErrors")


def may_be_changed(case: Case, stage: Stage) -> bool:
    """Return whether a packet that arrives may be routed by another destination or mark than it was looked up with.

    A firewall may change them before. What the kernel counts of packets that it did not route refutes that.
    """
    chains = case.space(stage.namespace).chains
    firewall = any(chain.hook == "prerouting" and chain.rules and not chain.dormant for chain in chains)
    return bool(stage.arrives) and firewall and not any(True for _ in case.counts(stage.namespace, *_NOT_ROUTED))


def of_none(case: Case, number: int) -> Iterator[Verdict]:
    """Yield that a packet has come to a host that neither has its destination nor forwards, and no other has it.

    Whether IPv6 is forwarded a look-up does not say, so there the setting alone tells.
    """
    stage, way = case.stages[number], case.ways.get(case.stages[number])
    here, to = stage.namespace, stage.flow.to
    if not stage.leads_nowhere or has_owner(case, stage):
        return
    path = f"net/ipv4/conf/{stage.arrives}/forwarding" if to.version == 4 else "net/ipv6/conf/all/forwarding"
    refused = isinstance(way, NoWay) and way.errno == errno.EHOSTUNREACH and not way.refused_by_route
    if may_be_changed(case, stage) or case.space(here).settings.get(path) != "0" or not (refused or to.version == 6):
        return
    told = (
        [Witness(here, "look-up as it arrives", kernel_words(OSError(way.errno, "")))] if isinstance(way, NoWay) else []
    )
    evidence = (*told, *case.counts(here, "IpInAddrErrors", "Ip6InAddrErrors"), Witness(here, path, "0"))
    words = f"no namespace has the address {to}; it came to {here}, which does not forward what is for others"
    yield Verdict(stage.place, Reason.ADDRESS_MISSING, words, evidence, give(case, stage))


def on_link(case: Case, stage: Stage, evidence: tuple[Witness, ...]) -> Verdict:
    """Return that no host has a destination for which a namespace asks on its link."""
    words = f"no host has the address {stage.flow.to}, which {stage.namespace} looks for on its link {stage.leaves}"
    return Verdict(stage.place, Reason.ADDRESS_MISSING, words, evidence, give(case, stage))


def give(case: Case, stage: Stage) -> str:
    """Return what to do where no namespace has a destination; one that a ruleset has chosen is wrong there."""
    if not stage.depth and not stage.back and stage.flow.to != case.asked.to:
        chosen = next((each.namespace for each in case.stages if each.flow.to == stage.flow.to), stage.namespace)
        return fixes.write(case, "namespaces", chosen, "nft", text="redirect to an address that is there")
    text = f"give {stage.flow.to} to an interface here, or ask for an address that is there"
    return fixes.write(case, "namespaces", text=text)
