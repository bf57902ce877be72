"""Where packets go on to where the file knows no way for them: by the routes that the kernel has.

A route that was made by hand takes packets further than the file says. What takes them after that is asked at the
stages of that way, like at those of the file.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from ipaddress import ip_address

from labctl.diagnosis.path import Kind, Stage
from labctl.kernel import namespaces, sysctls
from labctl.kernel.lookup import Way, route_in, route_out
from labctl.plan.facts import Namespace
from labctl.topology.interface_ref import InterfaceRef


def onward(stages: Sequence[Stage], found: Mapping[str, Namespace]) -> Iterator[Stage]:
    """Yield the stages of a way, with those by the kernel's routes in place of the last, where that leads nowhere."""
    *known, stage = stages
    yield from known
    left = {each.ref for each in known if each.leaves}
    while stage.leads_nowhere and stage.ref not in left:
        way = _way(stage)
        if way is None or (way.local and not stage.arrives):
            break
        if way.local:
            yield replace(stage, kind=Kind.DELIVER)
            return
        leaving = InterfaceRef(stage.namespace, way.interface)
        left.add(leaving)
        peer = _peer(leaving, found)
        next_hop = way.via or str(stage.flow.to)
        meets = peer if peer and next_hop in _addresses(peer, found) else None
        flow = stage.flow
        if flow.source is None and way.source:
            flow = replace(flow, source=ip_address(way.source))
        via = ip_address(way.via) if way.via else None
        yield replace(stage, flow=flow, leaves=way.interface, via=via, meets=meets, by_file=False)
        if peer is None:
            return
        yield Stage(Kind.CROSS, peer.namespace, flow, peer.interface, depth=stage.depth, before=leaving)
        if found[peer.namespace].links[peer.interface].master:
            return
        stage = Stage(Kind.FORWARD, peer.namespace, flow, peer.interface, depth=stage.depth, by_file=False)
    yield stage


def _way(stage: Stage) -> Way | None:
    """Return where the kernel takes a packet from here; None where it takes it nowhere."""
    with suppress(OSError), namespaces.inside(stage.namespace):
        way = route_in(stage.flow, stage.arrives) if stage.arrives else route_out(stage.flow)
        if isinstance(way, Way) and (way.local or not stage.arrives or _forwards(stage.flow.to.version)):
            return way
    return None


def _forwards(version: int) -> bool:
    """Return whether this thread's namespace forwards; a look-up says so of IPv4 alone."""
    path = "net/ipv6/conf/all/forwarding"
    return version == 4 or sysctls.read([path]).get(path) != "0"


def _peer(leaving: InterfaceRef, found: Mapping[str, Namespace]) -> InterfaceRef | None:
    """Return the other end of a cable that is in the lab."""
    here = found.get(leaving.namespace)
    link = here.links.get(leaving.interface) if here else None
    peer = link.peer if link else None
    there = found.get(peer.namespace) if peer else None
    return peer if peer and there and peer.interface in there.links else None


def _addresses(ref: InterfaceRef, found: Mapping[str, Namespace]) -> set[str]:
    return {words.partition("/")[0] for words in found[ref.namespace].links[ref.interface].addresses}
