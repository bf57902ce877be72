"""NAT: named by the rule that a packet met, by the connection that it is of, or by its headers before and after."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from ipaddress import ip_address

from labctl.diagnosis import fixes, rulesets
from labctl.diagnosis.facts import Case
from labctl.diagnosis.firewall import chain_words, is_of, met, place, rule_of
from labctl.diagnosis.path import Kind, Stage
from labctl.diagnosis.reasons import Reason
from labctl.diagnosis.verdict import Verdict, Witness
from labctl.kernel.conntrack import Connection
from labctl.kernel.flow import Flow
from labctl.kernel.lookup import Way
from labctl.kernel.nftables.ruleset import Rule
from labctl.kernel.nftables.trace import Event
from labctl.plan.firewall import MASQUERADE
from labctl.trace.dissect import Packet, packet

_REDIRECTS = re.compile(r"\bdnat (ip6? )?to (?P<to>[0-9.]+|\[?[0-9a-f:]*:[0-9a-f:]*\]?)(:(?P<port>\d+))?$")
_TRANSLATES = ("dnat", "snat", "masquerade", "redirect")


def translated(case: Case, number: int) -> Iterator[Verdict]:
    """Yield what translates a packet of a stage: the rule that it met, or the connection that it is of."""
    stage = case.stages[number]
    if stage.namespace in case.followed:
        return
    for event in case.traced.get(stage.namespace, ()):
        rule = rule_of(case, stage.namespace, event)
        if rule and _translates(rule) and is_of(stage, event) and not _is_of_file(case, stage.namespace, event):
            words = f"{stage.namespace} translates its addresses: {chain_words(event)}: `{rule.words}`"
            evidence = (*met(stage, event, rule), *_rewritten(case, number))
            yield Verdict(place(stage, event), Reason.NAT, words, evidence, fixes.up(case))
            return
    # A connection outlives the rules that it was translated by, and then is translated no more.
    has_nat = any(chain.type == "nat" and chain.hook for chain in case.space(stage.namespace).chains)
    for each in case.space(stage.namespace).connections if has_nat else ():
        another_host = each.reply.source != stage.flow.to
        another_port = each.original.dport and each.reply.sport != each.original.dport
        if each.translated and _begins(each.original, stage.flow) and (another_host or another_port):
            yield _connection(case, stage, each)
            return


def may_translate(case: Case, first: int, number: int) -> bool:
    """Return whether packets that pass some stages may come to a later one with other addresses than by the file."""
    return any(
        chain.type == "nat" and chain.rules and chain.table != MASQUERADE
        for stage in case.stages[first:number]
        if stage.namespace not in case.followed and stage.namespace != case.stages[number].namespace
        for chain in case.space(stage.namespace).chains
    )


def redirected(case: Case) -> Iterator[tuple[str, Connection]]:
    """Yield what rulesets of the file were seen to redirect: by rules that name one address, and maybe a port."""
    for stage in case.stages:
        for event in case.traced.get(stage.namespace, ()):
            rule = rule_of(case, stage.namespace, event)
            found = _REDIRECTS.search(rule.words) if rule else None
            met_by = packet(event.header)
            if found is None or met_by is None or not _is_of_file(case, stage.namespace, event):
                continue
            flow = replace(stage.flow, to=ip_address(met_by.destination), source=ip_address(met_by.source))
            port = int(found["port"] or flow.dport)
            reply = replace(flow.answer, source=ip_address(found["to"].strip("[]")), sport=port)
            yield stage.namespace, Connection(flow, reply, "", answered=False)


def _is_of_file(case: Case, namespace: str, event: Event) -> bool:
    return rulesets.has_table(case, namespace, event.family, event.table)


def _translates(rule: Rule) -> bool:
    return any(word in rule.words.split() for word in _TRANSLATES)


def _begins(original: Flow, flow: Flow) -> bool:
    """Return whether a connection is of a flow, whose ports and source may be open."""
    same = (original.to, original.protocol) == (flow.to, flow.protocol)
    source = flow.source in (None, original.source)
    return same and source and flow.sport in (0, original.sport) and flow.dport in (0, original.dport)


def _connection(case: Case, stage: Stage, each: Connection) -> Verdict:
    rules = [
        f"table {chain.family} {chain.table}, chain {chain.name}: `{rule.words}`"
        for chain in case.space(stage.namespace).chains
        for rule in chain.rules
        if chain.table != MASQUERADE and _translates(rule)
    ]
    told = f" ({rules[0]})" if len(rules) == 1 else ""
    evidence = (
        Witness(stage.namespace, "connection tracking", each.words),
        *(Witness(stage.namespace, "rule that translates", rule) for rule in rules),
    )
    words = f"{stage.namespace} translates the packet: {each.words}{told}"
    hop = f"{stage.namespace}:{stage.arrives or stage.leaves}"
    return Verdict(hop, Reason.NAT, words, evidence, _without(case, stage.namespace))


def _without(case: Case, namespace: str) -> str:
    """Return the line of the first rule that translates, where all are the file's; else `up`."""
    found = [
        rulesets.of_rule(case, namespace, chain, rule, f"change or leave out `{rule.words}`")
        for chain in case.space(namespace).chains
        for rule in chain.rules
        if chain.table != MASQUERADE and _translates(rule)
    ]
    return found[0] if found and all(found) else fixes.up(case)


def rewritten(case: Case, number: int) -> Iterator[Verdict]:
    """Yield the first namespace on the way up to a stage behind which the headers of a packet are others."""
    for each in range(number + 1):
        stage = case.stages[each]
        found = list(_rewritten(case, each)) if stage.kind in (Kind.SEND, Kind.FORWARD) else []
        if found:
            words = f"{stage.namespace} translates the addresses of the packet ({found[0].value})"
            if stage.sent is not None:
                sent = stage.sent.source
                words = f"{stage.namespace} is to send it on from {sent}, and does not ({found[0].value})"
            fix = fixes.up(case) if stage.sent is not None else _without(case, stage.namespace)
            yield Verdict(stage.place, Reason.NAT, words, tuple(found), fix)
            return


def _rewritten(case: Case, number: int) -> Iterator[Witness]:
    """Yield the headers of a stage's packets as they left it, where they are others than those of the flow."""
    stage = case.stages[number]
    for journey in case.answers if stage.back else case.probes:
        for each in journey.sightings:
            if (each.station.ref, each.station.outgoing) != (stage.ref, stage.outgoing):
                continue
            if len(each.layers) == stage.depth + 1 and (told := _difference(case, stage, each.layers[0])):
                yield Witness(stage.place, "headers as it left", told)
                return


def as_sent(case: Case, stage: Stage) -> Flow:
    """Return the flow of a stage with the source address that the sender's kernel has chosen."""
    first, way = case.stages[0], case.ways.get(case.stages[0])
    if stage.sent is not None:
        return stage.sent
    if first.flow.source not in (stage.flow.to, stage.flow.source):  # it is hidden behind another one by then
        return stage.flow
    if stage.depth or not isinstance(way, Way) or not way.source or way.interface != first.leaves:
        return stage.flow
    chosen = ip_address(way.source)
    return replace(stage.flow, to=chosen) if stage.back else replace(stage.flow, source=chosen)


def _difference(case: Case, stage: Stage, found: Packet) -> str:
    """Return in words how the headers of a packet differ from those of the stage's flow; empty where they do not."""
    flow = as_sent(case, stage)
    ports = found.ports or (flow.sport, flow.dport)  # a fragment has none
    compared = (
        ("source", found.source, str(flow.source or found.source)),
        ("destination", found.destination, str(flow.to)),
        ("source port", ports[0], flow.sport or ports[0]),
        ("destination port", ports[1], flow.dport or ports[1]),
    )
    return ", ".join(f"{name} {now}, not {meant}" for name, now, meant in compared if now != meant)
