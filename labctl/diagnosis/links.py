"""Links: an interface that is missing, down or without carrier, at this end or at the other; ports of bridges.

A packet that is given to an interface that is down is dropped before a tap sees it (net/core/dev.c: noop qdisc), and
veth drops what its other end, being down, does not take (drivers/net/veth.c: veth_xmit()).
"""

from __future__ import annotations

from collections.abc import Iterator

from labctl.diagnosis import cables, fixes
from labctl.diagnosis.facts import Case
from labctl.diagnosis.path import Kind
from labctl.diagnosis.reasons import Reason
from labctl.diagnosis.verdict import Verdict, Witness
from labctl.topology.interface_ref import InterfaceRef
from labctl.topology.model import Veth

_OF_PORT = {
    "type bridge_slave state": ("3",),
    "type bridge_slave isolated": ("off",),
    "type bridge_slave locked": ("off",),
}
"""The options of a port with which it passes everything on, by their names in ip-link(8)."""

_WORDS = {"state": "is not forwarding (ip -d link shows it)"}


def at_end(case: Case, number: int) -> Iterator[Verdict]:
    """Yield why the interface at the end of a stage carries nothing."""
    stage = case.stages[number]
    if stage.ref.interface:
        yield from broken(case, stage.ref)
        if stage.kind is Kind.SWITCH or _is_port(case, stage.ref):
            yield from port(case, stage.ref)
        else:
            yield from taken_by_a_bridge(case, stage.ref)


def broken(case: Case, ref: InterfaceRef) -> Iterator[Verdict]:
    """Yield why an interface carries nothing: it is missing or down, or its other end is, or it has no carrier."""
    link = case.link(ref)
    if link is None:
        yield _missing(case, ref)
        return
    if not link.up:
        seen = Witness(str(ref), "link", "administratively down (no IFF_UP)")
        yield Verdict(str(ref), Reason.LINK_DOWN, f"the interface {ref} is down", (seen,), fixes.up(case))
        return
    known = [*cabled_elsewhere(case, ref), *cables.not_running(case, ref)]
    yield from known
    if known or link.carrier or link.kind in ("tun", "tap"):
        return
    lost = Witness(str(ref), "link", "up, NO-CARRIER")
    other = _other_end(case, ref)
    there = case.link(other) if other else None
    if other and there is None:
        words = f"{ref} has no carrier: its other end {other} is missing"
        yield Verdict(str(other), Reason.INTERFACE_MISSING, words, (lost,), fixes.up(case))
    elif other and there and not there.up:
        seen = Witness(str(other), "link", "administratively down (no IFF_UP)")
        words = f"the interface {other} is down, the other end of the cable from {ref}"
        yield Verdict(str(other), Reason.LINK_DOWN, words, (seen, lost), fixes.up(case))
    else:
        yield from _without_carrier(case, ref, lost)


def _missing(case: Case, ref: InterfaceRef) -> Verdict:
    """Return that an interface is not there, and where it is now: the other end of its cable shows that."""
    names = " ".join(case.space(ref.namespace).links) or "none"
    other = _by_file(case, ref)
    there = case.link(other) if other else None
    for namespace in (ref.namespace, *([other.namespace] if other else ())):
        if case.space(namespace).gone:
            return gone(case, namespace)
    if other and there is None:
        one, two = sorted((ref, other))
        words = f"the cable from {one} to {two} is gone: neither end is there"
        names = " ".join(case.space(one.namespace).links) or "none"
        seen = Witness(one.namespace, "interfaces", names)
        return Verdict(str(one), Reason.INTERFACE_MISSING, words, (seen,), fixes.up(case))
    words = f"{ref.namespace} has no interface {ref.interface}"
    evidence = [Witness(ref.namespace, "interfaces", names)]
    if other and there and there.peer:
        words += f"; the cable from {other} ends at {there.peer} now"
        evidence.append(Witness(str(other), "other end", str(there.peer)))
    return Verdict(str(ref), Reason.INTERFACE_MISSING, words, tuple(evidence), fixes.up(case))


def cabled_elsewhere(case: Case, ref: InterfaceRef) -> Iterator[Verdict]:
    """Yield that the cable of an interface leads to another one than by the file: that one is missing, or elsewhere."""
    link, meant = case.link(ref), _by_file(case, ref)
    there = case.link(meant) if meant else None
    if link is None or meant is None or meant in (link.peer, None) or case.space(meant.namespace).gone:
        return
    if there is None:
        yield _missing(case, meant)
    elif there.peer != ref and (link.peer or there.peer):
        ends = sorted(((ref, link), (meant, there)))
        evidence = tuple(Witness(str(end), "other end", str(found.peer or "not in the lab")) for end, found in ends)
        words = f"{ends[0][0]} and {ends[1][0]} are not the two ends of one cable, as they are by the file"
        yield Verdict(str(ends[0][0]), Reason.CABLED_ELSEWHERE, words, evidence, fixes.up(case))


def _without_carrier(case: Case, ref: InterfaceRef, lost: Witness) -> Iterator[Verdict]:
    """Yield the ports that are down of a bridge without any port that is up; else that the reason is unknown."""
    space = case.space(ref.namespace)
    ports = [name for name, link in space.links.items() if link.master == ref.interface]
    found = [verdict for name in ports for verdict in broken(case, InterfaceRef(ref.namespace, name))]
    if found:
        yield from found
        return
    between = list(cables.closed(case, ref, _by_file(case, ref)))
    yield from between
    if between:
        return
    words = f"{ref} is up and has no carrier"
    yield Verdict(str(ref), Reason.NO_CARRIER, words, (lost,), fixes.up(case))


def _other_end(case: Case, ref: InterfaceRef) -> InterfaceRef | None:
    """Return the other end of a cable: as the kernel has it, or else the file."""
    link = case.link(ref)
    return link.peer if link is not None and link.peer is not None else _by_file(case, ref)


def _by_file(case: Case, ref: InterfaceRef) -> InterfaceRef | None:
    """Return the other end of a cable as the file has it; None for an interface that is no end of one."""
    space = case.topology.namespaces.get(ref.namespace)
    interface = space.interfaces.get(ref.interface) if space else None
    return interface.peer if isinstance(interface, Veth) else None


def _is_port(case: Case, ref: InterfaceRef) -> bool:
    return bool(bridge_of(case, ref))


def bridge_of(case: Case, ref: InterfaceRef) -> str:
    """Return the bridge that an interface is a port of by the file; empty where it is none's."""
    space = case.topology.namespaces.get(ref.namespace)
    interfaces = space.interfaces.items() if space else ()
    return next((name for name, found in interfaces if ref.interface in getattr(found, "ports", ())), "")


def port(case: Case, ref: InterfaceRef) -> Iterator[Verdict]:
    """Yield why a port of a bridge passes nothing on (net/bridge/br_input.c: br_handle_frame_finish())."""
    bridge = bridge_of(case, ref)
    link = case.link(ref)
    if not bridge or link is None:
        return
    if link.master != bridge:
        seen = Witness(str(ref), "port of", link.master or "no bridge")
        words = f"{ref} is no port of {bridge}"
        yield Verdict(str(ref), Reason.PORT_NOT_FORWARDING, words, (seen,), fixes.up(case))
        return
    whole = case.link(InterfaceRef(ref.namespace, bridge))
    if whole is None or not whole.up:
        yield from broken(case, InterfaceRef(ref.namespace, bridge))
        return
    for name, found in link.options.items():
        option = name.removeprefix("type bridge_slave ")
        if name in _OF_PORT and found not in _OF_PORT[name] and link.up and link.carrier:
            seen = Witness(str(ref), option, found)
            words = f"the bridge {bridge} passes nothing on by its port {ref}: {option} {_WORDS.get(option, found)}"
            yield Verdict(str(ref), Reason.PORT_NOT_FORWARDING, words, (seen,), fixes.up(case))


def flooding(case: Case, number: int) -> Iterator[Verdict]:
    """Yield that a bridge was told not to flood by a port, or to have the receiver behind another one."""
    stage = case.stages[number]
    link = case.link(stage.ref)
    if stage.kind is not Kind.SWITCH or link is None or not stage.leaves:
        return
    for option in ("flood", "bcast_flood", "mcast_flood"):
        if link.options.get(f"type bridge_slave {option}") == "off":
            seen = Witness(str(stage.ref), option, "off")
            words = f"the bridge {link.master} does not flood by its port {stage.ref}: {option} is off"
            yield Verdict(str(stage.ref), Reason.PORT_NOT_FORWARDING, words, (seen,), fixes.up(case))
            return
    macs = {each.frame.destination_mac for journey in (*case.probes, *case.answers) for each in journey.sightings}
    for name, other in case.space(stage.namespace).links.items():
        strange = macs.intersection(other.forwarding) if name != stage.leaves and other.master == link.master else ()
        for mac in strange:
            place = f"{stage.namespace}:{name}"
            words = f"the bridge {link.master} was told that {mac} is behind its port {place}, not behind {stage.ref}"
            seen = Witness(place, "forwarding entry", mac)
            yield Verdict(place, Reason.PORT_NOT_FORWARDING, words, (seen,), fixes.up(case))


def taken_by_a_bridge(case: Case, ref: InterfaceRef) -> Iterator[Verdict]:
    """Yield that an interface is a port of a bridge of which the file knows nothing, so that the bridge has its frames.

    What answers an ARP request comes to the bridge then, and the interface learns no neighbour.
    """
    link = case.link(ref)
    bridge = case.link(InterfaceRef(ref.namespace, link.master)) if link and link.master else None
    if bridge is not None and bridge.kind == "bridge":
        seen = Witness(str(ref), "port of", bridge.name)
        words = f"{ref} was made a port of the bridge {bridge.name}, which takes in what arrives there"
        fix = fixes.inside(ref.namespace, f"ip link set dev {ref.interface} nomaster")
        fix = fixes.up(case) if fixes.drifted(case, ref.namespace) else fix
        yield Verdict(str(ref), Reason.PORT_NOT_FORWARDING, words, (seen,), fix)


def gone(case: Case, namespace: str) -> Verdict:
    """Return that a namespace is gone; with it go its interfaces, and the other ends of their cables."""
    words, fix = f"the namespace {namespace} is gone", fixes.up(case)
    seen = Witness(namespace, "namespace", "is gone")
    others = [name for name, space in case.spaces.items() if not space.gone]
    if case.space(namespace).remade and others:
        words += "; that of its name is another one, which was made by hand"
        fix = f"{fixes.inside(others[0], f'ip netns del {namespace}')} && {fix}"
        seen = Witness(namespace, "namespace", "is not the one that labctl made")
    return Verdict(namespace, Reason.INTERFACE_MISSING, words, (seen,), fix)
