"""Where packets go on to where the file knows no way for them: by the routes that the kernel has.

A route that was made by hand takes packets further than the file says. What takes them after that is asked at the
stages of that way, like at those of the file.
"""

from __future__ import annotations

import errno
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import replace
from ipaddress import ip_address

from labctl.diagnosis.gather import Gather, LookUp
from labctl.diagnosis.path import Kind, Paths, Stage
from labctl.kernel.flow import Flow
from labctl.kernel.lookup import NoWay, Way
from labctl.plan.facts import Namespace
from labctl.topology.interface_ref import InterfaceRef


def onward(gather: Gather, paths: Paths, stages: Sequence[Stage], found: Mapping[str, Namespace]) -> Iterator[Stage]:
    """Yield the stages of a way, with those by the kernel's routes in place of the last, where that leads nowhere.

    Where such a way ends at the destination, those of the answer follow: the file does not know its way either.
    """
    *known, last = stages
    yield from known
    left = {each.ref for each in known if each.leaves}
    end = yield from _by_kernel(gather, paths, last, left, found)
    if end is not None and not end.back and end.flow.source is not None:
        answer = Stage(Kind.SEND, end.namespace, end.flow.answer, depth=end.depth, back=True, by_file=False)
        yield from _by_kernel(gather, paths, answer, set(), found)


def _by_kernel(
    gather: Gather, paths: Paths, stage: Stage, left: set[InterfaceRef], found: Mapping[str, Namespace]
) -> Generator[Stage, None, Stage | None]:
    """Yield the stages of a way from one that leads nowhere by the file. Return the one that takes the packet in."""
    while stage.leads_nowhere and stage.ref not in left:
        way = _way(gather, stage, found)
        if way is None or (way.local and not stage.arrives):
            break
        if way.local:
            delivered = replace(stage, kind=Kind.DELIVER)
            yield delivered
            return delivered
        leaving = InterfaceRef(stage.namespace, way.interface)
        left.add(leaving)
        peer = _peer(leaving, found)
        owners = _owners(way.via or str(stage.flow.to), found)
        meets = peer if peer in owners else paths.on_link(leaving, owners)
        flow = stage.flow
        if flow.source is None and way.source:
            flow = replace(flow, source=ip_address(way.source))
        via = ip_address(way.via) if way.via else None
        sent = replace(stage, flow=flow, leaves=way.interface, via=via, meets=meets, by_file=False)
        yield sent
        if peer is None:
            return None
        end: InterfaceRef | None = peer
        arriving = replace(stage, namespace=peer.namespace, flow=flow, arrives=peer.interface)
        if _is_host(peer, found):
            yield replace(arriving, kind=Kind.CROSS, before=leaving, by_file=True)
        else:
            end = yield from paths.over(sent)
        if end is None or not _is_host(end, found):
            return None
        stage = replace(arriving, kind=Kind.FORWARD, namespace=end.namespace, arrives=end.interface, by_file=False)
    yield stage
    return None


def _way(gather: Gather, stage: Stage, found: Mapping[str, Namespace]) -> Way | None:
    """Return where the kernel takes a packet from here; None where it takes it nowhere.

    Where it does not forward, that is where it would take a packet that some namespace is to have.
    """
    way = _looked_up(gather, stage, stage.flow, stage.arrives)
    if stage.arrives and _is_kept(gather, stage, way):
        has_owner = way is not None and _owners(str(stage.flow.to), found)
        way = _looked_up(gather, stage, replace(stage.flow, source=None), "") if has_owner else None
    return way if isinstance(way, Way) else None


def _looked_up(gather: Gather, stage: Stage, flow: Flow, arrives: str) -> Way | NoWay | None:
    (answer,) = gather.look_ups([LookUp(stage.namespace, flow, arrives)])
    return answer


def _is_kept(gather: Gather, stage: Stage, way: Way | NoWay | None) -> bool:
    """Return whether a packet for another host is not passed on here; of IPv6 a look-up does not say so."""
    if stage.flow.to.version == 4:
        return isinstance(way, NoWay) and way.errno == errno.EHOSTUNREACH and not way.refused_by_route
    if isinstance(way, Way) and way.local:
        return False
    return gather.setting(stage.namespace, "net/ipv6/conf/all/forwarding") == "0"


def _owners(address: str, found: Mapping[str, Namespace]) -> list[InterfaceRef]:
    every = (InterfaceRef(name, link) for name, space in found.items() for link in space.links)
    return [ref for ref in every if address in _addresses(ref, found)]


def _peer(leaving: InterfaceRef, found: Mapping[str, Namespace]) -> InterfaceRef | None:
    """Return the other end of a cable that is in the lab."""
    here = found.get(leaving.namespace)
    link = here.links.get(leaving.interface) if here else None
    peer = link.peer if link else None
    there = found.get(peer.namespace) if peer else None
    return peer if peer and there and peer.interface in there.links else None


def _is_host(ref: InterfaceRef, found: Mapping[str, Namespace]) -> bool:
    """Return whether an interface is there, and is no port of a bridge."""
    link = found[ref.namespace].links.get(ref.interface) if ref.namespace in found else None
    return link is not None and not link.master


def _addresses(ref: InterfaceRef, found: Mapping[str, Namespace]) -> set[str]:
    return {words.partition("/")[0] for words in found[ref.namespace].links[ref.interface].addresses}
