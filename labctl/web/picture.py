"""The picture of a lab while it runs: as its file draws it, with the impairments that are in force now.

Everything stays where it is while the lab changes: what is dead or differs is marked on the page, by `marks`.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping
from dataclasses import replace

from labctl.frozen import frozen
from labctl.live.state import Engine, LabState
from labctl.report.graph import model
from labctl.report.graph.model import Picture
from labctl.topology.interface_ref import InterfaceRef


def live(picture: Picture, impairments: Mapping[InterfaceRef, Mapping[str, str]]) -> Picture:
    """Return the picture of a file with the impairments that are in force."""
    spaces = tuple(
        replace(space, interfaces=tuple(_impaired(one, impairments.get(one.ref)) for one in space.interfaces))
        for space in picture.namespaces
    )
    return replace(picture, namespaces=spaces)


def _impaired(interface: model.Interface, now: Mapping[str, str] | None) -> model.Interface:
    if now is None:
        return interface
    if interface.engine is None:
        return replace(interface, impaired=now.get("out", ""))
    words = tuple(f"{way} {what}" for way, what in now.items())
    return replace(interface, engine=replace(interface.engine, impaired=words))


IS_THERE = ("up", "mixed")
"""The phases of a lab in which what it lacks is a fault."""


@frozen
class Fault:
    """What is dead: where, in a few words, and what of the picture is marked for it."""

    place: str
    words: str
    mark: str  # the name of an element of the SVG
    look: str  # its class: dead, wrong or gone


def faults(picture: Picture, state: LabState) -> Iterator[Fault]:
    """Yield what is dead in a lab that is up, as far as it was looked at."""
    if state.phase not in IS_THERE:
        return
    for space in picture.namespaces:
        known = state.spaces.get(space.name)
        if known is None or not known.seen:
            continue
        if not known.there:
            yield Fault(space.name, "is gone", f"ns-{space.name}", "gone")
        else:
            yield from _interfaces(space, state)


def _interfaces(space: model.Namespace, state: LabState) -> Iterator[Fault]:
    for interface in space.interfaces:
        ref, found = interface.ref, state.interface(interface.ref)
        if found is None:
            yield Fault(str(ref), "is not there", f"if-{ref}", "wrong")
        elif not found.link.up:
            yield Fault(str(ref), "is down", f"if-{ref}", "wrong")
        elif interface.kind == "veth" and not found.link.carrier:
            yield Fault(str(ref), "has no carrier", f"if-{ref}", "wrong")
        if (engine := state.engines.get(ref)) and (words := engine_fault(engine)):
            yield Fault(str(ref), f"engine {words}", f"engine-{ref}", "dead")


def engine_fault(engine: Engine) -> str:
    """Return what keeps an engine from its work, in words; empty where nothing is known."""
    return {"ended": "has ended", "stopped": "is stopped"}.get(engine.state or "", "")


def marks(picture: Picture, found: list[Fault], state: LabState) -> dict[str, str]:
    """Return which elements of the SVG look how: what is dead, the lines that it cuts, what differs or is unknown."""
    looks = {fault.mark: fault.look for fault in found}
    names = {space.name for space in picture.namespaces}
    for difference in state.drift or () if state.phase in IS_THERE else ():
        looks.setdefault(f"{'ns' if difference.subject in names else 'if'}-{difference.subject}", "wrong")
    looks |= {f"ns-{name}": "unknown" for name in state.unknown}
    places = {fault.place for fault in found}

    def has(where: Container[str], *ends: InterfaceRef | None) -> bool:
        return any(end and (str(end) in where or end.namespace in where) for end in ends)

    for line, ends in _lines(picture):
        if has(places, *ends):
            looks[line] = "dead"
        elif has(state.unknown, *ends):
            looks[line] = "unknown"
    return looks


def _lines(picture: Picture) -> Iterator[tuple[str, tuple[InterfaceRef | None, ...]]]:
    """Yield the lines of the SVG, each with the interfaces on its way."""
    for cable in picture.cables:
        yield f"link-{cable.one}", (cable.one, cable.other)
    for tunnel in picture.tunnels:
        yield f"tun-{tunnel.device}", (tunnel.device, tunnel.far, *tunnel.way)
