"""What else takes a packet away at a hop: an IPsec policy, a queue, a filter of tc(8), a wrong checksum."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from labctl.diagnosis import fixes
from labctl.diagnosis.facts import Case
from labctl.diagnosis.path import Kind, Stage
from labctl.diagnosis.reasons import Reason
from labctl.diagnosis.verdict import Verdict, Witness
from labctl.engine.packets.impairment import Impairment
from labctl.kernel.xfrm import Policy
from labctl.topology.interface_ref import InterfaceRef

_DIRECTIONS = {Kind.SEND: "out", Kind.FORWARD: "fwd", Kind.DELIVER: "in"}
_CHECKSUMS = ("IcmpInCsumErrors", "UdpInCsumErrors", "TcpInCsumErrors", "Udp6InCsumErrors", "Icmp6InCsumErrors")


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
        yield from _taken(case, ref, outgoing)


def express(case: Case, number: int) -> Iterator[Verdict]:
    """Yield that an XDP program is attached where packets come in: it counts nothing of what it took."""
    ref = _entrance(case.stages[number])
    link = case.link(ref)
    program = next((word for word in ("xdpgeneric", "xdpdrv") if link and link.options.get(word) == "on"), "")
    if program:
        words = f"an XDP program is attached to {ref}, and is asked before anything else"
        seen = Witness(str(ref), program, "on")
        yield Verdict(str(ref), Reason.TRAFFIC_CONTROL, words, (seen,), fixes.up(case))


def overflow(case: Case, number: int) -> Iterator[Verdict]:
    """Yield that a TUN device has dropped packets, of which more came than were read (drivers/net/tun.c)."""
    ref = case.stages[number].ref
    count = case.space(ref.namespace).unsent.get(ref.interface, 0)
    if count:
        words = f"more packets went into {ref} than its engine could read: its queue was full, and {count} were dropped"
        seen = Witness(str(ref), "tx_dropped", f"+{count}")
        yield Verdict(str(ref), Reason.SOCKET_BUFFER, words, (seen,), "")


def impairs(case: Case, number: int, words: Collection[str]) -> Iterator[Verdict]:
    """Yield that netem impairs what leaves by the interface of a stage by one of these words of its own."""
    ref = case.stages[number].ref
    link = case.link(ref) if case.stages[number].leaves else None
    if link and link.netem is not None and not set(str(link.netem).split()).isdisjoint(words):
        yield _by_netem(case, ref, link.netem)


def _by_netem(case: Case, ref: InterfaceRef, netem: Impairment, *more: Witness) -> Verdict:
    words = f"netem impairs what leaves {ref}: {netem}"
    seen = Witness(str(ref), "netem", str(netem))
    return Verdict(str(ref), Reason.IMPAIRED, words, (seen, *more), _without_netem(case, ref))


def _entrance(stage: Stage) -> InterfaceRef:
    return InterfaceRef(stage.namespace, stage.arrives)


def _taken(case: Case, ref: InterfaceRef, outgoing: bool) -> Iterator[Verdict]:
    control = case.space(ref.namespace).control.get(ref.interface)
    if control is None:
        return
    for each in control.queues if outgoing else ():
        if each.netem is not None and (each.counted.drops or each.counted.waiting):
            took = f"{each.counted.drops} drops, {each.counted.waiting} held back"
            yield _by_netem(case, ref, each.netem, Witness(str(ref), f"qdisc {each.kind} {each.place}", took))
        elif each.counted.drops:
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
