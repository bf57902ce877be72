"""Links that do not join what the addresses of the file are to join.

A next hop that is on another link hears no request for it; and the ends of a cable may have no network in common.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from labctl.diagnosis import fixes
from labctl.diagnosis.facts import Case
from labctl.diagnosis.path import Stage
from labctl.diagnosis.reasons import Reason
from labctl.diagnosis.verdict import Verdict, Witness
from labctl.topology.interface_ref import InterfaceRef
from labctl.topology.segments import Segments
from labctl.topology.values import Host


def no_port(
    case: Case, asked_in: Collection[str], owners: Sequence[InterfaceRef], evidence: tuple[Witness, ...]
) -> Iterator[Verdict]:
    """Yield the end of the owner's cable that is no port of the bridge, in a namespace that the request came to."""
    for owner in owners:
        link = case.link(owner)
        end = link.peer if link else None
        if end is None or end.namespace not in asked_in or (found := case.link(end)) is None or found.master:
            continue
        bridges = [name for name, each in case.space(end.namespace).links.items() if each.kind == "bridge"]
        if bridges:
            words = f"{end} is no port of the bridge {bridges[0]}, so nothing reaches {owner} by it"
            path = ("namespaces", end.namespace, "interfaces", bridges[0], "ports")
            fix = fixes.mend(case, end.namespace, *path, text=f"add {end.interface} to its ports")
            seen = Witness(str(end), "port of", "no bridge")
            yield Verdict(str(end), Reason.PORT_NOT_FORWARDING, words, (seen, *evidence), fix)


def on_another_link(
    case: Case, stage: Stage, next_hop: Host, owner: InterfaceRef, evidence: tuple[Witness, ...]
) -> Iterator[Verdict]:
    """Yield that two links have the same network by the file, so that a host of one is looked for on the other."""
    here = case.topology.namespaces[stage.namespace].interfaces.get(stage.leaves)
    network = next((own.network for own in here.addresses if next_hop in own.network), None) if here else None
    path = fixes.of_address(case, owner, next_hop)
    segments = Segments(case.topology)
    if network is None or not path or owner in segments.of(stage.ref):
        return
    own = own_end(case, segments, stage.namespace, next_hop)
    link = f"the link of {own}" if own else "another link"
    words = f"{stage.ref} has the network {network} and looks there for {next_hop}, which {owner} has on {link}"
    fix = fixes.mend(case, stage.namespace, *path, text=f"give this link another network than {network}")
    yield Verdict(str(stage.ref), Reason.ADDRESS_ELSEWHERE, words, evidence, fix)


def own_end(case: Case, segments: Segments, namespace: str, address: Host) -> InterfaceRef | None:
    """Return the interface of a namespace on whose link an address is by the file; None where there is none."""
    for owner, _ in case.owners_of(str(address)):
        for ref in segments.of(owner).interfaces:
            if ref.namespace == namespace and ref.interface in case.topology.namespaces[namespace].interfaces:
                return segments.of(owner).takes_in(ref)
    return None
