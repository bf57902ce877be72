"""Addresses: missing, elsewhere, with another prefix length, twice, or not usable yet.

An address brings three things along: packets to it are taken in, packets may be sent from it, and its network is
reached without a next hop. A namespace that lost one has lost all three.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from ipaddress import ip_network

from labctl.diagnosis import fixes
from labctl.diagnosis.facts import Case
from labctl.diagnosis.links import broken
from labctl.diagnosis.path import Kind, Stage
from labctl.diagnosis.reasons import Reason
from labctl.diagnosis.verdict import Verdict, Witness
from labctl.kernel.lookup import Way
from labctl.plan.mtu import SMALLEST
from labctl.topology.interface_ref import InterfaceRef
from labctl.topology.values import Host, Prefix

_TAKE_ADDRESSES = {4: (Reason.INTERFACE_MISSING,), 6: (Reason.INTERFACE_MISSING, Reason.LINK_DOWN)}
"""What takes the addresses of an interface along, by IP version."""


def target(case: Case, number: int) -> Iterator[Verdict]:
    """Yield why a namespace does not take in what is sent to its address: it has the address no more, or not yet."""
    stage = case.stages[number]
    if stage.kind is Kind.DELIVER:
        found = list(not_usable(case, stage.namespace, stage.flow.to))
        yield from found or _not_local(case, stage)


def _not_local(case: Case, stage: Stage) -> Iterator[Verdict]:
    """Yield that an address is there, and its route in table local is not: packets to it are not taken in."""
    address, way = str(stage.flow.to), case.ways.get(stage)
    owners = [ref for ref, _ in case.owners_of(address) if ref.namespace == stage.namespace]
    link = case.link(owners[0]) if owners else None
    if link is None or not link.up or way is None or (isinstance(way, Way) and way.local):
        return
    local = f"{address}/{stage.flow.to.max_prefixlen}"
    if not any(local in each.local for each in case.space(stage.namespace).links.values()):
        words = f"{stage.namespace} has lost the route to its own address {address} in table local"
        seen = Witness(str(owners[0]), "local routes", " ".join(link.local) or "none")
        yield Verdict(str(owners[0]), Reason.NO_ROUTE, words, (seen,), fixes.up(case))
        return
    rules = case.space(stage.namespace).rules.get(stage.flow.to.version, ())
    if rules and not any(rule.table == "local" for rule in rules):
        words = f"no rule of {stage.namespace} looks up table local, so it takes in nothing that is sent to {address}"
        told = Witness(stage.namespace, "rules", ", ".join(f"{rule.priority}: {rule.words}" for rule in rules))
        yield Verdict(str(owners[0]), Reason.NO_ROUTE, words, (told,), fixes.up(case))


def missing_source(case: Case, stage: Stage, answer: Witness) -> Iterator[Verdict]:
    """Yield why a packet cannot be sent from its source address, where that is chosen."""
    if stage.kind is Kind.SEND and stage.flow.source is not None:
        for verdict in not_usable(case, stage.namespace, stage.flow.source):
            yield Verdict(verdict.hop, verdict.reason, verdict.words, (*verdict.evidence, answer), verdict.fix)


def source(case: Case, number: int) -> Iterator[Verdict]:
    """Yield why the source address that an engine is bound to cannot be used."""
    stage = case.stages[number]
    if stage.kind is Kind.SEND and stage.depth and stage.flow.source is not None:
        yield from not_usable(case, stage.namespace, stage.flow.source)


def not_usable(case: Case, namespace: str, address: Host) -> Iterator[Verdict]:
    """Yield why a namespace cannot send from, or take in what is sent to, one of its addresses."""
    owners = list(case.owners_of(str(address)))
    here = [(ref, own) for ref, own in owners if ref.namespace == namespace]
    if here:
        for ref, own in here:
            yield from _flagged(ref, own.flags, str(address), case)
        return
    if _is_local_otherwise(case, namespace, address):
        return
    by_file = _of_file(case, namespace, address)
    ref = InterfaceRef(namespace, by_file[0]) if by_file else InterfaceRef(namespace, "")
    place = str(ref) if by_file else namespace
    gone = [each for each in broken(case, ref) if each.reason in _TAKE_ADDRESSES[address.version]] if by_file else []
    if gone:
        yield from gone
        return
    yield from _without_ipv6(case, ref, address)
    elsewhere = [other for other, _ in owners]
    seen = Witness(place, "addresses", _listed(case, ref) or "none")
    if elsewhere:
        words = f"{namespace} does not have the address {address}; {', '.join(map(str, elsewhere))} has it"
        evidence = (seen, *(Witness(str(other), "address", str(address)) for other in elsewhere))
        yield Verdict(place, Reason.ADDRESS_ELSEWHERE, words, evidence, _fix(case, namespace, address))
        return
    words = f"{place} does not have the address {address}"
    if not by_file and not any(_of_file(case, name, address) for name in case.topology.namespaces):
        words = f"no interface of the lab has the address {address}; packets to it end in {namespace}"
    yield Verdict(place, Reason.ADDRESS_MISSING, words, (seen,), _fix(case, namespace, address))


def _fix(case: Case, namespace: str, address: Host) -> str:
    """Return what brings an address back; in the file, the line of the interface that the probe is meant to reach."""
    text = f"give an interface of {namespace} the address {address}"
    return fixes.mend(case, namespace, "namespaces", namespace, "interfaces", text=text)


def _flagged(ref: InterfaceRef, flags: frozenset[str], address: str, case: Case) -> Iterator[Verdict]:
    seen = Witness(str(ref), f"flags of {address}", " ".join(sorted(flags)))
    if "dadfailed" in flags:
        words = f"{ref} does not use its address {address}: another interface on the link has it, too (DAD failed)"
        yield Verdict(str(ref), Reason.DAD_FAILED, words, (seen,), fixes.up(case))
    elif "tentative" in flags and "optimistic" not in flags:
        words = f"{ref} does not use its address {address} yet: it is tentative, duplicate detection is not over"
        yield Verdict(str(ref), Reason.TENTATIVE, words, (seen,), fixes.up(case))


def _without_ipv6(case: Case, ref: InterfaceRef, address: Host) -> Iterator[Verdict]:
    space, link = case.space(ref.namespace), case.link(ref)
    if address.version == 6 and link is not None and link.mtu < SMALLEST[6]:
        words = f"{ref} has no IPv6: its MTU of {link.mtu} is below {SMALLEST[6]}"
        seen = Witness(str(ref), "MTU", f"{link.mtu} bytes")
        yield Verdict(str(ref), Reason.IPV6_OFF, words, (seen,), fixes.up(case))
        return
    if address.version == 6 and ref.interface:
        for scope in (ref.interface, "all"):
            path = f"net/ipv6/conf/{scope}/disable_ipv6"
            if space.settings.get(path) == "1":
                words = f"IPv6 is off on {ref}: {path} is 1"
                seen = Witness(str(ref), path, "1")
                yield Verdict(str(ref), Reason.IPV6_OFF, words, (seen,), fixes.up(case))
                return


def own_network(case: Case, stage: Stage, answer: Witness) -> Iterator[Verdict]:
    """Yield why an interface has lost its own network, by which it reaches the next hop: address gone or changed."""
    if not stage.leaves or not stage.by_file:
        return
    next_hop = stage.via or stage.flow.to
    for own in _written(case, stage.ref):
        if own.version != next_hop.version or next_hop not in own.network:
            continue
        there = [
            each for each in case.space(stage.namespace).addresses.get(stage.leaves, ()) if each.host == str(own.ip)
        ]
        if not there:
            for verdict in (*moved(case, stage.ref, own.ip), *not_usable(case, stage.namespace, own.ip)):
                yield Verdict(verdict.hop, verdict.reason, verdict.words, (*verdict.evidence, answer), verdict.fix)
        elif all(each.prefix_length != own.network.prefixlen for each in there):
            yield _wrong_prefix(case, stage.ref, own, there[0].prefix_length)


def emptied(case: Case, stage: Stage) -> Iterator[Verdict]:
    """Yield that an interface has lost its last IPv4 address to another one, and with it every route through it.

    The kernel disables IPv4 there then (net/ipv4/fib_frontend.c: fib_disable_ip()).
    """
    there = case.space(stage.namespace).addresses.get(stage.leaves, ())
    written = [own for own in _written(case, stage.ref) if own.version == 4] if stage.leaves else []
    if stage.flow.to.version == 4 and not any(":" not in each.host for each in there):
        for own in written:
            yield from moved(case, stage.ref, own.ip)


def moved(case: Case, ref: InterfaceRef, address: Host) -> Iterator[Verdict]:
    """Yield that an address of an interface is on another one of its namespace: with it goes the way to its network."""
    owners = [other for other, _ in case.owners_of(str(address)) if other.namespace == ref.namespace]
    if owners and ref not in owners and any(own.ip == address for own in _written(case, ref)):
        words = f"{owners[0]} has the address {address}, which by the file {ref} has"
        evidence = (
            Witness(str(ref), "addresses", _listed(case, ref) or "none"),
            *(Witness(str(other), "address", str(address)) for other in owners),
        )
        yield Verdict(str(ref), Reason.ADDRESS_ELSEWHERE, words, evidence, fixes.up(case))


def by_prefix(case: Case, namespace: str, network: str, answer: Witness) -> list[Verdict]:
    """Return the address of a namespace whose wrong prefix length has brought the route to a network."""
    found = []
    for interface, addresses in case.space(namespace).addresses.items():
        ref = InterfaceRef(namespace, interface)
        for own in _written(case, ref):
            for each in addresses:
                differs = each.host == str(own.ip) and each.prefix_length != own.network.prefixlen
                if differs and str(ip_network(f"{each.host}/{each.prefix_length}", strict=False)) == network:
                    verdict = _wrong_prefix(case, ref, own, each.prefix_length)
                    found.append(replace(verdict, evidence=(*verdict.evidence, answer)))
    return found


def _wrong_prefix(case: Case, ref: InterfaceRef, own: Prefix, length: int) -> Verdict:
    words = f"{ref} has its address {own.ip} with the prefix length /{length}, not /{own.network.prefixlen}"
    seen = Witness(str(ref), "address", f"{own.ip}/{length}")
    return Verdict(str(ref), Reason.WRONG_PREFIX, words, (seen,), fixes.up(case))


def _written(case: Case, ref: InterfaceRef) -> Iterator[Prefix]:
    space = case.topology.namespaces.get(ref.namespace)
    interface = space.interfaces.get(ref.interface) if space else None
    yield from interface.addresses if interface else ()


def _of_file(case: Case, namespace: str, address: Host) -> tuple[str, Prefix] | None:
    space = case.topology.namespaces.get(namespace)
    for name, interface in space.interfaces.items() if space else ():
        for own in interface.addresses:
            if own.ip == address:
                return name, own
    return None


def _is_local_otherwise(case: Case, namespace: str, address: Host) -> bool:
    """Return whether the local table takes in an address that no interface has, as all of 127.0.0.0/8."""
    locals_ = (local for link in case.space(namespace).links.values() for local in link.local)
    return address.is_loopback or f"{address}/{address.max_prefixlen}" in locals_


def _listed(case: Case, ref: InterfaceRef) -> str:
    space = case.space(ref.namespace)
    names = [ref.interface] if ref.interface else list(space.addresses)
    return " ".join(f"{each.host}/{each.prefix_length}" for name in names for each in space.addresses.get(name, ()))
