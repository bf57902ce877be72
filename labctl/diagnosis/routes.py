"""Routes: what the kernel's look-up says of a packet at a hop, and how that differs from the file.

A look-up is a witness for where packets go now. That a route is missing is said only where no route has the
destination (ENETUNREACH); and an interface that is down or an address that is missing comes first, because a lost route
is what follows from it.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator

from labctl.diagnosis import destinations, fixes, unjoined
from labctl.diagnosis.addresses import by_prefix, emptied, missing_source, not_usable, own_network
from labctl.diagnosis.facts import Case
from labctl.diagnosis.links import broken
from labctl.diagnosis.path import Kind, Stage
from labctl.diagnosis.reasons import Reason
from labctl.diagnosis.verdict import Verdict, Witness
from labctl.errors import kernel_words
from labctl.kernel.lookup import NoWay, Way
from labctl.plan.desired_routes import route_of
from labctl.plan.routes import Route, is_same_route
from labctl.topology.interface_ref import InterfaceRef
from labctl.topology.segments import Segments


def out(case: Case, number: int) -> Iterator[Verdict]:
    """Yield why the kernel sends a packet of a stage nowhere, or elsewhere than the file does."""
    stage = case.stages[number]
    way = case.ways.get(stage)
    if isinstance(way, NoWay):
        yield from _refused(case, stage, way)
    elif way is not None and stage.leaves and not (stage.leaves == "lo" and way.local):
        yield from _elsewhere(case, stage, way)


def source(case: Case, number: int) -> Iterator[Verdict]:
    """Yield that the sender's kernel has chosen another source than by the file, so that answers go elsewhere."""
    stage, way = case.stages[number], case.ways.get(case.stages[number])
    if stage.kind is not Kind.SEND or stage.depth or stage.back or not isinstance(way, Way) or not stage.by_file:
        return
    meant = str(stage.flow.source)
    if stage.flow.source is None or way.source in (None, meant) or way.local or way.interface != stage.leaves:
        return
    unusable = list(not_usable(case, stage.namespace, stage.flow.source))
    if unusable:
        yield from unusable
        return
    evidence = (
        Witness(stage.namespace, f"route look-up {_packet(stage)}", f"from {way.source}"),
        Witness(stage.namespace, "by the file", f"from {meant}"),
        *([Witness(stage.namespace, "route", way.route.words)] if way.route else []),
    )
    words = f"{stage.place} sends from {way.source}, not from {meant}: answers take another way"
    yield Verdict(stage.place, Reason.WRONG_SOURCE, words, evidence, fixes.up(case))


def came_back(case: Case, number: int) -> Iterator[Verdict]:
    """Yield the router that has sent a packet back which has come to its end where it went away."""
    stage = case.stages[number]
    if stage.kind is Kind.FORWARD and any(each.leaves and each.ref == stage.ref for each in case.stages[:number]):
        routers = (each for each in range(number - 1, -1, -1) if case.stages[each].kind is Kind.FORWARD)
        for router in list(routers)[:1]:
            yield from back_again(case, router)


def back_again(case: Case, number: int) -> Iterator[Verdict]:
    """Yield that a router sends a packet back to where it came from."""
    stage, way = case.stages[number], case.ways.get(case.stages[number])
    hops = (each for each in reversed(case.stages[:number]) if each.kind in (Kind.SEND, Kind.FORWARD))
    before = next((each for each in hops if each.depth == stage.depth), None)
    if stage.kind is not Kind.FORWARD or before is None or not isinstance(way, Way) or way.local:
        return
    owners = {ref.namespace for ref, _ in case.owners_of(way.via or str(stage.flow.to))}
    if (
        way.interface != stage.leaves
        or way.interface != stage.arrives
        or owners != {before.namespace}
        or before.depth != stage.depth
    ):
        return
    answer = Witness(stage.namespace, f"route look-up {_packet(stage)}", _told(way))
    words = f"{stage.namespace} sends it back to {before.namespace}, where it came from: {_told(way)}"
    fix = _right_route(case, stage, way)
    if way.route and not _is_of_file(case, stage, way):
        fix = _without(case, stage, way)
    yield Verdict(f"{stage.namespace}:{way.interface}", Reason.WRONG_NEXT_HOP, words, (answer,), fix)


def left_elsewhere(case: Case, number: int) -> Iterator[Verdict]:
    """Yield that a packet left by another interface than its route says: a mark, or a filter, has sent it there."""
    stage, way = case.stages[number], case.ways.get(case.stages[number])
    if not isinstance(way, Way) or way.interface != stage.leaves:
        return
    for journey in case.answers if stage.back else case.probes:
        for each in journey.sightings:
            station = each.station
            same = station.namespace == stage.namespace and station.outgoing and len(each.layers) == stage.depth + 1
            if same and station.interface != stage.leaves:
                answer = Witness(stage.namespace, f"route look-up {_packet(stage)}", _told(way))
                seen = Witness(str(station.ref), "left", "seen on the wire")
                words = (
                    f"it left by {station.ref}, though its route leads through {stage.leaves}: a mark sends it there"
                )
                yield Verdict(str(station.ref), Reason.ROUTE_ELSEWHERE, words, (seen, answer), fixes.up(case))
                return


def _refused(case: Case, stage: Stage, way: NoWay) -> Iterator[Verdict]:
    here = stage.namespace
    answer = Witness(here, f"route look-up {_packet(stage)}", kernel_words(OSError(way.errno, "")))
    if way.refused_by_route:
        taken = way.route.words if way.route else ""
        rule = f"rule {way.rule.priority}: {way.rule.words}" if way.rule and not way.route else ""
        words = f"the route `{taken}` of {here} refuses it" if taken else f"the {rule} of {here} refuses it"
        evidence = (answer, Witness(here, "route" if taken else "rule", taken or rule))
        yield Verdict(here, Reason.ROUTE_REJECTS, words, evidence, _without(case, stage, way))
        return
    yield from missing_source(case, stage, answer)
    if way.errno != errno.ENETUNREACH or destinations.may_be_changed(case, stage):
        return
    links = broken(case, stage.ref) if stage.leaves else ()
    causes = [*links, *own_network(case, stage, answer), *emptied(case, stage)]
    if causes:
        yield from causes
        return
    yield missing(case, stage, answer)


def missing(case: Case, stage: Stage, answer: Witness) -> Verdict:
    """Return that a namespace has no route to where a packet goes."""
    here, to = stage.namespace, stage.flow.to
    evidence = (answer, *case.counts(here, "IpExtInNoRoutes", "Ip6InNoRoutes", "IpOutNoRoutes", "Ip6OutNoRoutes"))
    words = f"{here} has no route{' back' if stage.back else ''} to {to}"
    if not destinations.has_owner(case, stage):
        fix = fixes.up(case) if fixes.drifted(case, here) else destinations.give(case, stage)
        return Verdict(here, Reason.NO_ROUTE, f"{words}, an address that no namespace has", evidence, fix)
    return Verdict(here, Reason.NO_ROUTE, words, evidence, _with_route(case, stage))


def _with_route(case: Case, stage: Stage) -> str:
    """Return what brings the route that is missing."""
    network = _network_of(case, stage)
    if not stage.leaves and (end := unjoined.own_end(case, Segments(case.topology), stage.namespace, stage.flow.to)):
        own = ("namespaces", stage.namespace, "interfaces", end.interface, "addresses")
        text = f"give {end.interface} an address of {network}, the network of the other end"
        return fixes.mend(case, stage.namespace, *own, text=text)
    hop = f"via: {stage.via}" if stage.via else f"dev: {stage.leaves}" if stage.leaves else "via: NEXT-HOP"
    entry = f"- {{to: {network}, {hop}}}"
    path = ("namespaces", stage.namespace, "routes")
    return fixes.mend(case, stage.namespace, *path, text=f"add the route {entry}")


def _network_of(case: Case, stage: Stage) -> str:
    """Return the network of the lab that an address is in; the address alone where no interface has it."""
    for space in case.topology.namespaces.values():
        for interface in space.interfaces.values():
            for own in interface.addresses:
                if own.ip == stage.flow.to and own.network.prefixlen < own.max_prefixlen:
                    return str(own.network)
    return str(stage.flow.to)


def _without(case: Case, stage: Stage, way: NoWay | Way) -> str:
    """Return what takes away the route or rule that is in the way."""
    here, family = stage.namespace, "-6 " if stage.flow.to.version == 6 else ""
    for number, written in enumerate(case.topology.namespaces[here].routes):
        if way.route and is_same_route(route_of(written), way.route):
            return fixes.write(case, "namespaces", here, "routes", number, text="remove this route, or make it right")
    if way.route and _is_in_place_of_one(case, here, way.route):
        return fixes.up(case)
    if way.route:
        return fixes.inside(here, f"ip {family}route del {way.route.words}")
    if way.rule:
        for number, rule in enumerate(case.topology.namespaces[here].rules):
            if rule.priority == way.rule.priority:
                return fixes.write(case, "namespaces", here, "rules", number, text="remove this rule, or make it right")
        # Several rules may have the same priority, that of the local table among them: all words name this one.
        return fixes.inside(here, f"ip {family}rule del priority {way.rule.priority} {way.rule.words}")
    return fixes.up(case)


def _is_in_place_of_one(case: Case, namespace: str, taken: Route) -> bool:
    """Return whether a route has taken the place of one of the file: with it alone gone there would be none."""
    there = case.space(namespace).routes
    written = map(route_of, case.topology.namespaces[namespace].routes)
    same = (each for each in written if (each.to, each.table) == (taken.to, taken.table))
    return any(not any(is_same_route(each, one) for one in there) for each in same)


def _elsewhere(case: Case, stage: Stage, way: Way) -> Iterator[Verdict]:
    """Yield how the way of the kernel differs from that of the file."""
    here = stage.namespace
    answer = Witness(here, f"route look-up {_packet(stage)}", _told(way))
    taken = by_prefix(case, here, way.route.to if way.route else "", answer)
    if way.local and any(ref.namespace == here for ref, _ in case.owners_of(str(stage.flow.to))):
        yield _owns(case, stage, answer)
    elif way.local or way.interface != stage.leaves:
        causes = [*broken(case, stage.ref), *own_network(case, stage, answer), *taken]
        yield from causes or [_by_another(case, stage, way, answer)]
    elif taken and way.via is None and stage.via is not None:
        yield from taken
    elif way.via != (str(stage.via) if stage.via else None) and stage.by_file:
        yield _wrong_next_hop(case, stage, way, answer)


def _owns(case: Case, stage: Stage, answer: Witness) -> Verdict:
    """Return that the sender, or a router, has itself the address that it should send to."""
    here, to = stage.namespace, stage.flow.to
    owners = [ref for ref, _ in case.owners_of(str(to))]
    own = next((ref for ref in owners if ref.namespace == here), InterfaceRef(here, ""))
    others = [ref for ref in owners if ref.namespace != here]
    words = f"{to} is an address of {here} itself" + (f", on {own}" if own.interface else "")
    reason = Reason.ADDRESS_DUPLICATE if others else Reason.ADDRESS_ELSEWHERE
    if others:
        words += f", and of {', '.join(map(str, others))}; {here} answers for it"
    evidence = (answer, *(Witness(str(ref), "address", str(to)) for ref in owners))
    if path := fixes.of_address(case, own, to):
        return Verdict(str(own), reason, words, evidence, fixes.write(case, *path, text="give it another address"))
    return Verdict(str(own) if own.interface else here, reason, words, evidence, fixes.up(case))


def _by_another(case: Case, stage: Stage, way: Way, answer: Witness) -> Verdict:
    here, to = stage.namespace, stage.flow.to
    expected = _file_route(case, stage)
    evidence = (answer, Witness(here, "by the file", f"through {stage.leaves}"))
    is_lost = expected is not None and not any(is_same_route(expected, each) for each in case.space(here).routes)
    is_changed = is_lost and way.route is not None and expected is not None and way.route.to == expected.to
    if expected and is_lost and not is_changed:
        words = f"{here} has lost its route to {to} (`{expected.words}`), so it goes {_told(way)}"
        return Verdict(here, Reason.NO_ROUTE, words, evidence, fixes.up(case))
    by_rule = way.rule and way.rule.table not in ("main", "local", "default")
    rule = f", looked up in table {way.rule.table} by rule {way.rule.priority}" if by_rule and way.rule else ""
    taken = f"the route `{way.route.words}`" if way.route else "another route"
    words = f"{taken} of {here}{rule} takes it through {way.interface}, not through {stage.leaves}"
    is_more = way.route is not None and not is_changed and not _is_of_file(case, stage, way)
    fix = _without(case, stage, way) if is_more else ""
    return Verdict(here, Reason.ROUTE_ELSEWHERE, words, evidence, fix or _right_route(case, stage, way))


def _right_route(case: Case, stage: Stage, way: Way) -> str:
    if fixes.drifted(case, stage.namespace):
        return fixes.up(case)
    number = _number_of(case, stage, way)
    path = ("namespaces", stage.namespace, "routes") + (() if number is None else (number,))
    return fixes.write(case, *path, text=f"make it lead to {stage.flow.to}")


def _number_of(case: Case, stage: Stage, way: Way) -> int | None:
    routes = case.topology.namespaces[stage.namespace].routes
    same = (number for number, each in enumerate(routes) if way.route and is_same_route(route_of(each), way.route))
    return next(same, None)


def _is_of_file(case: Case, stage: Stage, way: Way) -> bool:
    own = (
        str(own.network) for i in case.topology.namespaces[stage.namespace].interfaces.values() for own in i.addresses
    )
    return _number_of(case, stage, way) is not None or (way.route is not None and way.route.to in own)


def _file_route(case: Case, stage: Stage) -> Route | None:
    """Return the route of the file's main table that takes a packet; None where there is none."""
    to = stage.flow.to
    written = case.topology.namespaces[stage.namespace].routes
    found = [each for each in written if each.to.version == to.version and to in each.to and each.table == "main"]
    return route_of(max(found, key=lambda each: each.to.prefixlen)) if found else None


def _wrong_next_hop(case: Case, stage: Stage, way: Way, answer: Witness) -> Verdict:
    here = stage.namespace
    taken = f"the route `{way.route.words}`" if way.route else "its route"
    hop = f"to {way.via}" if way.via else "to no next hop, but straight onto the link"
    right = f"to {stage.via}" if stage.via else "straight onto the link"
    words = f"{taken} of {here} sends it {hop}; by the file it goes {right}"
    evidence = (answer, Witness(here, "by the file", f"through {stage.leaves} via {stage.via or 'no next hop'}"))
    return Verdict(here, Reason.WRONG_NEXT_HOP, words, evidence, fixes.up(case))


def _told(way: Way) -> str:
    if way.local:
        return "local"
    route = f", by route {way.route.words}" if way.route else ""
    rule = f" and rule {way.rule.priority}" if way.rule else ""
    return f"through {way.interface}{f' via {way.via}' if way.via else ''}{route}{rule}"


def _packet(stage: Stage) -> str:
    source = f"from {stage.flow.source} " if stage.flow.source else ""
    return f"{source}to {stage.flow.to}" + (f" arrived at {stage.arrives}" if stage.kind is not Kind.SEND else "")
