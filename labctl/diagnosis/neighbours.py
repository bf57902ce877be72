"""Neighbours: the link-layer address of the next hop is not found, or is another one than it has.

An unanswered ARP request is a symptom of whatever keeps the request or its answer from coming through. So the request
itself is followed: where it was seen last tells who did not pass it on, or did not answer.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from ipaddress import ip_address

from labctl.diagnosis import destinations, fixes, unjoined
from labctl.diagnosis.addresses import moved, not_usable
from labctl.diagnosis.facts import Case
from labctl.diagnosis.path import Kind, Stage
from labctl.diagnosis.reasons import Reason
from labctl.diagnosis.solicitations import asked_for, told
from labctl.diagnosis.verdict import Verdict, Witness
from labctl.kernel.lookup import Way
from labctl.kernel.packet_taps import PacketType
from labctl.plan.facts import Neighbour
from labctl.plan.steps import SetMac
from labctl.topology.interface_ref import InterfaceRef
from labctl.topology.values import Host
from labctl.trace.sightings import Sighting

_BY_HAND = ("permanent", "noarp")


def wrong(case: Case, number: int) -> Iterator[Verdict]:
    """Yield that a namespace sends to another link-layer address than its next hop has."""
    stage = case.stages[number]
    entry, meets = _entry(case, stage), stage.meets
    link = case.link(meets) if meets else None
    if entry is None or meets is None or link is None or not entry.lladdr or entry.lladdr == link.mac:
        return
    if _is_port_of_frames(case, stage) or entry.state == "proxy":
        return
    here = stage.ref
    written = _of_file(case, here, entry.to)
    made = " (permanent: made by hand)" if entry.state in _BY_HAND else ""
    if written is not None and written[1] == entry.lladdr:
        made = " (permanent: as the file says)"
    words = f"{here} sends to {entry.lladdr} for {entry.to}{made}; {meets} has {link.mac}"
    others = [f"{ref}" for ref in _with_mac(case, entry.lladdr)]
    evidence = (
        Witness(str(here), f"neighbour {entry.to}", f"{entry.lladdr} {entry.state}"),
        Witness(str(meets), "link-layer address", link.mac),
        *(Witness(other, "link-layer address", entry.lladdr) for other in others),
        *(
            Witness(str(each.station.ref), "frame for another host", each.frame.destination_mac)
            for each in _strays(case)
        ),
    )
    if any(ref for ref, _ in case.owners_of(entry.to) if ref != meets and str(ref) in others):
        words = f"{others[0]} has the address {entry.to}, too, and {here} sends to it ({entry.lladdr}), not to {meets}"
        fix = f"{fixes.up(case)} && {_forget(here, entry)}"  # else it is believed for a while yet
        yield Verdict(others[0], Reason.ADDRESS_DUPLICATE, words, evidence, fix)
        return
    yield Verdict(str(here), Reason.NEIGHBOUR_WRONG, words, evidence, _right_entry(case, stage, entry, written))


def _of_file(case: Case, here: InterfaceRef, to: str) -> tuple[int, str | None] | None:
    """Return the place of a permanent neighbour in the file, and its link-layer address; None where it has none."""
    space = case.topology.namespaces.get(here.namespace)
    for number, each in enumerate(space.neighbours if space else ()):
        if (each.dev, str(each.to), each.proxy) == (here.interface, to, False):
            return number, each.lladdr
    return None


def _right_entry(case: Case, stage: Stage, entry: Neighbour, written: tuple[int, str | None] | None) -> str:
    """Return what mends an entry that has another link-layer address than its next hop."""
    here, meets = stage.ref, stage.meets
    link = case.link(meets) if meets else None
    if written is not None and link is not None and written[1] == entry.lladdr:
        drifted = any(isinstance(each.step, SetMac) and each.step.ref == meets for each in case.changes)
        path = ("namespaces", here.namespace, "neighbours", written[0])
        return fixes.up(case) if drifted else fixes.write(case, *path, text=f"write lladdr {link.mac}")
    if written is not None or (case.changes and any(_with_mac(case, entry.lladdr))):
        return fixes.up(case)
    return _forget(here, entry)


def _forget(here: InterfaceRef, entry: Neighbour) -> str:
    family = "-6 " if ":" in entry.to else ""
    return fixes.inside(here.namespace, f"ip {family}neigh del {entry.to} dev {here.interface}")


def _is_port_of_frames(case: Case, stage: Stage) -> bool:
    link = case.link(stage.ref)
    return link is None or link.kind in ("tun", "lo", "dummy")


def without_arp(case: Case, number: int) -> Iterator[Verdict]:
    """Yield that an interface takes no part in ARP, so that frames go to an address that no neighbour has."""
    stage = case.stages[number]
    for ref in (stage.ref, stage.meets):
        link = case.link(ref) if ref else None
        if ref and link and link.kind in ("veth", "bridge", "tap") and link.options.get("arp") == "off":
            seen = Witness(str(ref), "link", "NOARP")
            words = f"ARP is off on {ref}"
            yield Verdict(str(ref), Reason.NO_ARP, words, (seen,), fixes.up(case))


def in_vain(case: Case, stage: Stage) -> bool:
    """Return whether the destination is looked for on a link that by the file has no such host, and was not found."""
    entry = _entry(case, stage) if stage.leaves else None
    missing = entry is not None and entry.state in ("incomplete", "failed")
    return missing and stage.by_file and stage.meets is None and stage.via is None


def unresolved(case: Case, number: int) -> Iterator[Verdict]:
    """Yield why the next hop's link-layer address is not found: by where the request was seen last."""
    stage = case.stages[number]
    entry = _entry(case, stage)
    if not stage.leaves or (entry is not None and entry.state not in ("incomplete", "failed")):
        return
    next_hop = _next_hop(case, stage)
    requests = [each for each in _sightings(case) if asked_for(each) == next_hop]
    state = Witness(str(stage.ref), f"neighbour {next_hop}", entry.state if entry else "no entry")
    meets = stage.meets
    owners = [ref for ref, _ in case.owners_of(next_hop)]
    if entry is None and not requests:
        return
    if stage.ref in owners:
        words = f"{stage.ref} has the address of its next hop, {next_hop}, itself"
        yield Verdict(str(stage.ref), Reason.ADDRESS_DUPLICATE, words, (state,), fixes.up(case))
        return
    if not requests:
        yield from _without_request(case, stage, next_hop, state)
        return
    last = requests[-1]
    evidence = (state, Witness(str(last.station.ref), "request for it seen", "out" if last.station.outgoing else "in"))
    if stage.via is not None and next_hop != str(stage.via):
        return
    unusable = [] if meets is None else _not_usable(case, meets, ip_address(next_hop))
    if unusable:
        yield from (replace(verdict, evidence=(*verdict.evidence, *evidence)) for verdict in unusable)
    elif not owners and next_hop == str(stage.flow.to):
        yield destinations.on_link(case, stage, evidence)
    elif not owners:
        words = f"no host has the next hop {next_hop} of {stage.ref}"
        yield Verdict(str(stage.ref), Reason.WRONG_NEXT_HOP, words, evidence, _route_of_file(case, stage))
    elif meets is None:
        asked_in = {each.station.namespace for each in requests}
        no_port = list(unjoined.no_port(case, asked_in, owners, evidence))
        yield from no_port or unjoined.on_another_link(case, stage, ip_address(next_hop), owners[0], evidence)
    else:  # a switch floods it, so that it may be seen last at a host that it is not for
        arrived = [each.station for each in requests if each.station.namespace == meets.namespace]
        if arrived and not arrived[-1].outgoing:
            seen = Witness(str(arrived[-1].ref), "request for it seen", "in")
            yield from _not_answered(case, arrived[-1].ref, next_hop, (state, seen))


def _not_usable(case: Case, meets: InterfaceRef, next_hop: Host) -> list[Verdict]:
    """Return why the interface that has a next hop does not answer for it.

    A host answers ARP requests for every address that it has (ip-sysctl: arp_ignore); neighbour solicitations only for
    those of the interface that they come to (net/ipv6/ndisc.c: ndisc_recv_ns()).
    """
    if next_hop.version == 6 and (elsewhere := list(moved(case, meets, next_hop))):
        return elsewhere
    return list(not_usable(case, meets.namespace, next_hop))


def _without_request(case: Case, stage: Stage, next_hop: str, state: Witness) -> Iterator[Verdict]:
    """Yield why no request was seen: none is sent by a setting; or the last was sent before, to a host that is none.

    Requests are a second apart, so that there may have been one before the first look.
    """
    path = f"net/ipv{stage.flow.to.version}/neigh/{stage.leaves}/mcast_solicit"
    if case.space(stage.namespace).settings.get(path) == "0":
        words = f"{stage.ref} asks no neighbour for the address of {next_hop}: {path} is 0"
        fix = fixes.inside(stage.namespace, f"sysctl -w {path.replace('/', '.')}=3")
        evidence = (state, Witness(str(stage.ref), path, "0"))
        yield Verdict(str(stage.ref), Reason.NEIGHBOUR_FAILED, words, evidence, fix)
    elif stage.meets is not None:
        for verdict in _not_usable(case, stage.meets, ip_address(next_hop)):
            yield replace(verdict, evidence=(*verdict.evidence, state))
    elif owners := [ref for ref, _ in case.owners_of(next_hop)]:
        yield from unjoined.on_another_link(case, stage, ip_address(next_hop), owners[0], (state,))
    elif next_hop == str(stage.flow.to):
        yield destinations.on_link(case, stage, (state,))


def _not_answered(case: Case, ref: InterfaceRef, address: str, evidence: tuple[Witness, ...]) -> Iterator[Verdict]:
    """Yield why a namespace does not answer a request that came to it."""
    replies = [each for each in _sightings(case) if told(each) == address]
    if any(each.station.outgoing and each.station.namespace == ref.namespace for each in replies):
        return
    space = case.space(ref.namespace)
    for scope in (ref.interface, "all"):
        path = f"net/ipv4/conf/{scope}/arp_ignore"
        value = space.settings.get(path, "0")
        if value != "0" and ":" not in address:
            words = f"{ref} does not answer ARP requests for {address}: {path} is {value}"
            witness = Witness(str(ref), path, value)
            yield Verdict(str(ref), Reason.NO_ARP, words, (witness, *evidence), fixes.up(case))
            return


def _route_of_file(case: Case, stage: Stage) -> str:
    """Return the line of the route whose next hop no host has; `up` where the lab differs from its file."""
    if fixes.drifted(case, stage.namespace):
        return fixes.up(case)
    for number, route in enumerate(case.topology.namespaces[stage.namespace].routes):
        if route.via == stage.via:
            path = ("namespaces", stage.namespace, "routes", number)
            return fixes.write(case, *path, text="write the address of a neighbour as `via`")
    return fixes.write(case, "namespaces", stage.namespace, "routes", text="write the address of a neighbour as `via`")


def other_host(case: Case, number: int) -> Iterator[Verdict]:
    """Yield that the frames that came to a stage are for another link-layer address than their next hop has."""
    for earlier in range(number - 1, -1, -1):
        if case.stages[earlier].kind in (Kind.SEND, Kind.FORWARD):
            yield from list(wrong(case, earlier)) or list(_strayed(case, case.stages[earlier]))
            return


def _strayed(case: Case, stage: Stage) -> Iterator[Verdict]:
    """Yield that frames came for another address than the interface has, though the entry may be right by now."""
    link = case.link(stage.meets) if stage.meets else None
    for each in _strays(case):
        if link is None or each.station.ref != stage.meets or each.frame.destination_mac == link.mac:
            continue
        seen = Witness(str(stage.meets), "frame for another host", each.frame.destination_mac)
        has = Witness(str(stage.meets), "link-layer address", link.mac)
        words = f"{stage.ref} sent to {each.frame.destination_mac}; {stage.meets} has {link.mac}"
        yield Verdict(str(stage.ref), Reason.NEIGHBOUR_WRONG, words, (seen, has), fixes.up(case))
        return


def _strays(case: Case) -> Iterator[Sighting]:
    """Yield the probe's packets that came to an interface as frames for another host."""
    for journey in (*case.probes, *case.answers):
        for each in journey.sightings:
            link = case.link(each.station.ref)
            if each.kind is PacketType.OTHERHOST and link and not link.master:
                yield each


def _entry(case: Case, stage: Stage) -> Neighbour | None:
    next_hop = _next_hop(case, stage)
    known = case.space(stage.namespace).neighbours.get(stage.leaves, ())
    return next((each for each in known if each.to == next_hop and each.state != "proxy"), None)


def _next_hop(case: Case, stage: Stage) -> str:
    way = case.ways.get(stage)
    if isinstance(way, Way) and way.interface == stage.leaves:
        return way.via or str(stage.flow.to)
    return str(stage.via or stage.flow.to)


def _with_mac(case: Case, mac: str) -> Iterator[InterfaceRef]:
    for name, space in case.spaces.items():
        yield from (InterfaceRef(name, link.name) for link in space.links.values() if link.mac == mac)


def _sightings(case: Case) -> Iterator[Sighting]:
    found = (each for journey in case.journeys for each in journey.sightings)
    yield from sorted(found, key=lambda each: each.at)
