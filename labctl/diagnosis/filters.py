"""Filters: what a firewall, NAT, an IPsec policy or a queue does with a packet at a hop.

A rule is named where a trace of the probe, sent once more, ended at it (nft monitor trace). A rule that merely could
have matched is no witness. NAT is named by the rule that a packet met, or by what the headers were before and after.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from ipaddress import ip_address

from labctl.diagnosis import fixes
from labctl.diagnosis.facts import Case
from labctl.diagnosis.path import Kind, Stage
from labctl.diagnosis.reasons import Reason
from labctl.diagnosis.verdict import Verdict, Witness
from labctl.kernel.conntrack import Connection
from labctl.kernel.flow import Flow
from labctl.kernel.lookup import Way
from labctl.kernel.neighbours import UNRESOLVED
from labctl.kernel.nftables.ruleset import Chain, Rule
from labctl.kernel.nftables.trace import Event
from labctl.kernel.xfrm import Policy
from labctl.topology.interface_ref import InterfaceRef
from labctl.trace.dissect import Packet, packet

_TRANSLATES = ("dnat", "snat", "masquerade", "redirect")
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
            is_meant = _is_of(stage, event) and _is_on_the_way(stage, _chain(case, stage.namespace, event))
        if is_meant:
            yield _ended(case, stage, event)


def _has_not_answered(case: Case) -> bool:
    """Return whether a neighbour was asked for in vain. Only packets that concern the next hops are traced."""
    known = (each for space in case.spaces.values() for found in space.neighbours.values() for each in found)
    return any(each.state in UNRESOLVED for each in known)


def marked(case: Case) -> Iterator[tuple[Stage, int]]:
    """Yield the stages whose packets the firewall has marked before they are routed, with the last mark of each."""
    for stage in case.stages:
        for event in case.traced.get(stage.namespace, ()):
            chain = _chain(case, stage.namespace, event)
            own = stage.kind is Kind.SEND
            is_before = chain and (
                chain.hook == "prerouting" or (own and (chain.hook, chain.type) == ("output", "route"))
            )
            if event.mark and is_before and _is_of(stage, event):
                yield stage, event.mark


def _is_of(stage: Stage, event: Event) -> bool:
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


def _rule(case: Case, namespace: str, event: Event) -> Rule | None:
    chain = _chain(case, namespace, event)
    return chain.rule(event.rule) if chain else None


def _ended(case: Case, stage: Stage, event: Event) -> Verdict:
    here = stage.namespace
    chain, rule = _chain(case, here, event), _rule(case, here, event)
    name = f"table {event.family} {event.table}, chain {event.chain}"
    what = f"`{rule.words}`" if rule else f"its policy is {event.verdict}"
    hook = f" (hook {chain.hook})" if chain and chain.hook else ""
    evidence = (
        Witness(
            here, "trace of the probe, sent again", f"{event.verdict} in {event.family} {event.table} {event.chain}"
        ),
        Witness(here, "rule" if rule else "policy", rule.words if rule else event.verdict),
    )
    packets = "what asks for a neighbour" if event.is_of_neighbours else "it"
    packets = "ARP" if event.family == "arp" else packets
    verb = "rejects" if rule and "reject" in rule.words.split() else "drops"
    words = f"the firewall of {here} {verb} {packets}: {name}{hook}: {what}"
    fix = fixes.up(case)
    if rule:
        delete = f"nft delete rule {event.family} {event.table} {event.chain} handle {rule.handle}"
        fix = fixes.inside(here, delete)
    return Verdict(_place(stage, event), Reason.FIREWALL, words, evidence, fix)


def _place(stage: Stage, event: Event) -> str:
    if stage.kind is Kind.FORWARD and stage.arrives:
        return f"{stage.namespace}:{stage.arrives}"
    interface = event.iif or event.oif or stage.arrives or stage.leaves
    return f"{stage.namespace}:{interface}" if interface else stage.namespace


def translated(case: Case, number: int) -> Iterator[Verdict]:
    """Yield what gives a packet of a stage other ends: the rule that it met, or the connection that it is of."""
    stage = case.stages[number]
    for event in case.traced.get(stage.namespace, ()):
        rule = _rule(case, stage.namespace, event)
        if rule and any(word in rule.words.split() for word in _TRANSLATES) and _is_of(stage, event):
            name = f"table {event.family} {event.table}, chain {event.chain}"
            evidence = (
                Witness(stage.namespace, _AGAIN, f"met {event.family} {event.table} {event.chain}"),
                Witness(stage.namespace, "rule", rule.words),
                *_rewritten(case, number),
            )
            words = f"{stage.namespace} translates its addresses: {name}: `{rule.words}`"
            yield Verdict(_place(stage, event), Reason.NAT, words, evidence, fixes.up(case))
            return
    # A connection outlives the rules that it was translated by, and then is translated no more.
    has_nat = any(chain.type == "nat" and chain.hook for chain in case.space(stage.namespace).chains)
    for each in case.space(stage.namespace).connections if has_nat else ():
        if each.translated and _begins(each.original, stage.flow) and each.reply.source != stage.flow.to:
            yield _connection(case, stage, each)
            return
        elsewhere = each.reply.sport != each.original.dport and each.original.dport
        if each.translated and _begins(each.original, stage.flow) and elsewhere:
            yield _connection(case, stage, each)
            return


def _begins(original: Flow, flow: Flow) -> bool:
    """Return whether a connection is of a flow, whose ports and source may be open."""
    same = (original.to, original.protocol) == (flow.to, flow.protocol)
    source = flow.source in (None, original.source)
    return same and source and flow.sport in (0, original.sport) and flow.dport in (0, original.dport)


def changed(case: Case, number: int) -> Iterator[Verdict]:
    """Yield the rule that a packet met and that sets a field of its headers."""
    stage = case.stages[number]
    for event in case.traced.get(stage.namespace, ()):
        rule = _rule(case, stage.namespace, event)
        if rule and _REWRITES.search(rule.words) and _is_of(stage, event):
            name = f"table {event.family} {event.table}, chain {event.chain}"
            evidence = (
                Witness(stage.namespace, _AGAIN, f"met {event.family} {event.table} {event.chain}"),
                Witness(stage.namespace, "rule", rule.words),
            )
            words = f"the firewall of {stage.namespace} rewrites it: {name}: `{rule.words}`"
            delete = f"nft delete rule {event.family} {event.table} {event.chain} handle {rule.handle}"
            fix = fixes.inside(stage.namespace, delete)
            yield Verdict(_place(stage, event), Reason.FIREWALL, words, evidence, fix)
            return


def _connection(case: Case, stage: Stage, each: Connection) -> Verdict:
    rules = [
        f"table {chain.family} {chain.table}, chain {chain.name}: `{rule.words}`"
        for chain in case.space(stage.namespace).chains
        for rule in chain.rules
        if any(word in rule.words.split() for word in _TRANSLATES)
    ]
    told = f" ({rules[0]})" if len(rules) == 1 else ""
    evidence = (Witness(stage.namespace, "connection tracking", each.words), *_rules(stage.namespace, rules))
    words = f"{stage.namespace} translates the packet: {each.words}{told}"
    place = f"{stage.namespace}:{stage.arrives or stage.leaves}"
    return Verdict(place, Reason.NAT, words, evidence, fixes.up(case))


def _rules(namespace: str, rules: Iterable[str]) -> Iterator[Witness]:
    yield from (Witness(namespace, "rule that translates", rule) for rule in rules)


def rewritten(case: Case, number: int) -> Iterator[Verdict]:
    """Yield the first namespace on the way up to a stage behind which the headers of a packet are others."""
    for each in range(number + 1):
        stage = case.stages[each]
        found = list(_rewritten(case, each)) if stage.kind in (Kind.SEND, Kind.FORWARD) else []
        if found:
            words = f"{stage.namespace} translates the addresses of the packet ({found[0].value})"
            yield Verdict(stage.place, Reason.NAT, words, tuple(found), fixes.up(case))
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
    way = case.ways.get(case.stages[0])
    if stage.depth or not isinstance(way, Way) or not way.source or way.interface != case.stages[0].leaves:
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


_DIRECTIONS = {Kind.SEND: "out", Kind.FORWARD: "fwd", Kind.DELIVER: "in"}


def policy(case: Case, number: int) -> Iterator[Verdict]:
    """Yield the IPsec policy that blocks a packet, or demands a protection that it does not have."""
    stage = case.stages[number]
    space = case.space(stage.namespace)
    if stage.arrives == "lo" or stage.leaves == "lo":
        return
    for each in space.policies:
        if each.direction == _DIRECTIONS.get(stage.kind) and _takes(each, stage):
            moved = {name: count for name, count in space.moved.items() if name.startswith("Xfrm")}
            evidence = (
                Witness(stage.namespace, "IPsec policy", each.words),
                *(Witness(stage.namespace, name, f"+{count}") for name, count in moved.items()),
            )
            what = "blocks it" if each.action == "block" else "demands that it is protected, and it is not"
            words = f"an IPsec policy of {stage.namespace} {what}: `{each.words}`"
            yield Verdict(stage.place, Reason.XFRM, words, evidence, fixes.up(case))
            return


def _takes(each: Policy, stage: Stage) -> bool:
    fits = each.selects(stage.flow) and each.interface in ("", stage.ref.interface)
    return fits and (each.action == "block" or each.transformed)


def queue(case: Case, number: int) -> Iterator[Verdict]:
    """Yield the queue, or the filter of tc(8), that took packets at an interface: each counts what it took."""
    stage = case.stages[number]
    for ref, outgoing in ((InterfaceRef(stage.namespace, stage.leaves), True), (_entrance(stage), False)):
        link = case.link(ref)
        if link is None:
            continue
        if outgoing and link.netem is not None:
            words = f"netem impairs what leaves {ref}: {link.netem}"
            seen = Witness(str(ref), "netem", str(link.netem))
            yield Verdict(str(ref), Reason.IMPAIRED, words, (seen,), _without_netem(case, ref))
            return
        yield from _taken(case, ref, outgoing)
        program = next((word for word in ("xdpgeneric", "xdpdrv") if link.options.get(word) == "on"), "")
        if program and not outgoing:
            words = f"an XDP program is attached to {ref}, and is asked before anything else"
            seen = Witness(str(ref), program, "on")
            yield Verdict(str(ref), Reason.TRAFFIC_CONTROL, words, (seen,), fixes.up(case))


def _entrance(stage: Stage) -> InterfaceRef:
    return InterfaceRef(stage.namespace, stage.arrives)


def _taken(case: Case, ref: InterfaceRef, outgoing: bool) -> Iterator[Verdict]:
    control = case.space(ref.namespace).control.get(ref.interface)
    if control is None:
        return
    for each in control.queues if outgoing else ():
        if each.counted.drops and each.netem is None:
            count = f"{each.counted.drops} packet{'s' if each.counted.drops > 1 else ''}"
            words = f"the queue of {ref} ({each.kind}) dropped {count}"
            seen = Witness(str(ref), f"qdisc {each.kind} {each.place}", f"{each.counted.drops} drops")
            yield Verdict(str(ref), Reason.TRAFFIC_CONTROL, words, (seen,), fixes.up(case))
    for one in control.filters:
        if (one.place == "ingress") is outgoing:
            continue
        for action in one.actions:
            takes = action.words.startswith(("drop", "redirect", "stolen", "trap")) or action.counted.drops
            if takes and action.counted.packets:
                words = f"a filter of tc at {ref} takes packets away: `{one.words}`"
                seen = Witness(str(ref), one.words, f"{action.counted.packets} packets")
                yield Verdict(str(ref), Reason.TRAFFIC_CONTROL, words, (seen,), fixes.up(case))


def _without_netem(case: Case, ref: InterfaceRef) -> str:
    space = case.topology.namespaces.get(ref.namespace)
    interface = space.interfaces.get(ref.interface) if space else None
    if getattr(interface, "impair", None) is not None:
        path = ("namespaces", ref.namespace, "interfaces", ref.interface, "impair")
        return fixes.write(case, *path, text="take the impairment away, or make it less")
    return fixes.up(case)


_CHECKSUMS = ("IcmpInCsumErrors", "UdpInCsumErrors", "TcpInCsumErrors", "Udp6InCsumErrors", "Icmp6InCsumErrors")


def corrupted(case: Case, number: int) -> Iterator[Verdict]:
    """Yield that packets came with a wrong checksum; where an engine on the way damages packets, that it does."""
    stage = case.stages[number]
    space = case.space(stage.namespace)
    moved = [name for name in (*_CHECKSUMS, "IpInHdrErrors") if space.moved.get(name, 0) > 0]
    if stage.kind is not Kind.DELIVER or not moved:
        return
    evidence = tuple(Witness(stage.namespace, name, f"+{space.moved[name]}") for name in moved)
    passed = {each.ref: "out" if each.kind is Kind.READ else "in" for each in case.stages[:number]}
    for device, engine in case.engines.items():
        told = engine.impaired.get(passed.get(device, ""), "")
        if "corrupt" in told:
            seen = Witness(str(device), f"impairment {passed[device]}", told)
            words = f"an impairment of the engine of {device} damages packets: {told}"
            fix = f"labctl impair {device} --reset"
            for which, end in enumerate(case.topology.ttun):
                key = "impair" if passed[device] == "out" else "impair_in"
                if end.device == device and getattr(end, key) is not None:
                    fix = fixes.write(case, "ttun", which, key, text="take the impairment away, or make it less")
            yield Verdict(str(device), Reason.IMPAIRED, words, (seen, *evidence), fix)
            return
    words = f"{stage.namespace} drops it: its checksum is wrong"
    yield Verdict(stage.place, Reason.CORRUPTED, words, evidence, fixes.up(case))
