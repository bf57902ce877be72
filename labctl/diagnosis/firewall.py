"""The firewall: which rule took a packet, marked it, or set a field of its headers.

A rule is named where a trace of the probe, sent once more, met it (nft monitor trace). A rule that merely could have
matched is no witness.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from labctl.diagnosis import fixes, rulesets
from labctl.diagnosis.facts import Case
from labctl.diagnosis.path import Kind, Stage
from labctl.diagnosis.reasons import Reason
from labctl.diagnosis.verdict import Verdict, Witness
from labctl.kernel.neighbours import UNRESOLVED
from labctl.kernel.nftables.ruleset import Chain, Rule
from labctl.kernel.nftables.trace import Event
from labctl.trace.dissect import packet

_REWRITES = re.compile(r"\b(ip|ip6|icmp|icmpv6|tcp|udp|th) \w+ set\b")
"""What sets a field of a header, as nft(8) shows it."""

_AGAIN = "trace of the probe, sent again"
_OUTGOING = ("output", "postrouting", "egress")


def dropped(case: Case, number: int) -> Iterator[Verdict]:
    """Yield the rule, or the policy of a chain, at which a packet of a stage ended, or one about its next hop."""
    stage = case.stages[number]
    for event in case.traced.get(stage.namespace, ()):
        if not event.is_end:
            continue
        if event.is_of_neighbours:
            is_meant = _has_not_answered(case)
        else:
            is_meant = is_of(stage, event) and _is_on_the_way(stage, _chain(case, stage.namespace, event))
        if is_meant:
            yield _ended(case, stage, event)


def changed(case: Case, number: int) -> Iterator[Verdict]:
    """Yield the rule that a packet met and that sets a field of its headers."""
    stage = case.stages[number]
    for event in case.traced.get(stage.namespace, ()):
        rule = rule_of(case, stage.namespace, event)
        if rule and _REWRITES.search(rule.words) and is_of(stage, event):
            words = f"the firewall of {stage.namespace} rewrites it: {chain_words(event)}: `{rule.words}`"
            fix = _without(case, stage.namespace, event, rule)
            yield Verdict(place(stage, event), Reason.FIREWALL, words, met(stage, event, rule), fix)
            return


def marked(case: Case) -> Iterator[tuple[Stage, int]]:
    """Yield the stages whose packets the firewall has marked before they are routed, with the last mark of each."""
    for stage in case.stages:
        for event in case.traced.get(stage.namespace, ()):
            chain = _chain(case, stage.namespace, event)
            own = stage.kind is Kind.SEND
            is_before = chain and (
                chain.hook == "prerouting" or (own and (chain.hook, chain.type) == ("output", "route"))
            )
            if event.mark and is_before and is_of(stage, event):
                yield stage, event.mark


def _has_not_answered(case: Case) -> bool:
    """Return whether a neighbour was asked for in vain. Only packets that concern the next hops are traced."""
    known = (each for space in case.spaces.values() for found in space.neighbours.values() for each in found)
    return any(each.state in UNRESOLVED for each in known)


def is_of(stage: Stage, event: Event) -> bool:
    """Return whether a traced packet is of the stage's flow, or of one that NAT has made of it: it shares an end."""
    if event.family == "bridge" and stage.kind is Kind.SWITCH:
        return True
    found = packet(event.header)
    return found is not None and (found.destination == str(stage.flow.to) or found.source == str(stage.flow.source))


def _is_on_the_way(stage: Stage, chain: Chain | None) -> bool:
    """Return whether the hook of a chain is met where the stage is: on the way in, through, or out."""
    hook = chain.hook if chain else ""
    if stage.kind is Kind.SEND:
        return hook in ("", *_OUTGOING)
    if stage.kind in (Kind.DELIVER, Kind.CROSS):
        return hook not in _OUTGOING
    return True


def _chain(case: Case, namespace: str, event: Event) -> Chain | None:
    chains = case.space(namespace).chains
    return next((c for c in chains if (c.family, c.table, c.name) == (event.family, event.table, event.chain)), None)


def rule_of(case: Case, namespace: str, event: Event) -> Rule | None:
    """Return the rule that a traced packet met, None where it met the policy of a chain."""
    chain = _chain(case, namespace, event)
    return chain.rule(event.rule) if chain else None


def _ended(case: Case, stage: Stage, event: Event) -> Verdict:
    here = stage.namespace
    chain, rule = _chain(case, here, event), rule_of(case, here, event)
    what = f"`{rule.words}`" if rule else f"its policy is {event.verdict}"
    hook = f" (hook {chain.hook})" if chain and chain.hook else ""
    evidence = (
        Witness(here, _AGAIN, f"{event.verdict} in {event.family} {event.table} {event.chain}"),
        Witness(here, "rule" if rule else "policy", rule.words if rule else event.verdict),
    )
    packets = "what asks for a neighbour" if event.is_of_neighbours else "it"
    packets = "ARP" if event.family == "arp" else packets
    verb = "rejects" if rule and "reject" in rule.words.split() else "drops"
    words = f"the firewall of {here} {verb} {packets}: {chain_words(event)}{hook}: {what}"
    fix = _without(case, here, event, rule) if rule else _with_another_policy(case, here, chain)
    return Verdict(place(stage, event), Reason.FIREWALL, words, evidence, fix)


def place(stage: Stage, event: Event) -> str:
    """Return the hop at which a packet of a stage was traced; what asks for a next hop is where that is."""
    if event.is_of_neighbours and stage.leaves:
        return f"{stage.namespace}:{stage.leaves}"
    if stage.kind is Kind.FORWARD and stage.arrives:
        return f"{stage.namespace}:{stage.arrives}"
    interface = event.iif or event.oif or stage.arrives or stage.leaves
    return f"{stage.namespace}:{interface}" if interface else stage.namespace


def met(stage: Stage, event: Event, rule: Rule) -> tuple[Witness, Witness]:
    """Return what shows that a packet met a rule."""
    return (
        Witness(stage.namespace, _AGAIN, f"met {event.family} {event.table} {event.chain}"),
        Witness(stage.namespace, "rule", rule.words),
    )


def chain_words(event: Event) -> str:
    """Return the chain in which a packet was traced, in words."""
    return f"table {event.family} {event.table}, chain {event.chain}"


def _with_another_policy(case: Case, namespace: str, chain: Chain | None) -> str:
    """Return what mends the policy of a chain: its line where it is the file's."""
    text = "have a rule of the chain accept what is meant to pass"
    return (chain and rulesets.of_policy(case, namespace, chain, text)) or fixes.up(case)


def _without(case: Case, namespace: str, event: Event, rule: Rule) -> str:
    """Return what removes a rule: its line where it is the file's, else the command."""
    chain = _chain(case, namespace, event)
    if chain and (fix := rulesets.of_rule(case, namespace, chain, rule, f"change or leave out `{rule.words}`")):
        return fix
    delete = f"nft delete rule {event.family} {event.table} {event.chain} handle {rule.handle}"
    return fixes.inside(namespace, delete)
