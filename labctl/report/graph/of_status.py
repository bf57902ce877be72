"""What a picture shows of a running lab: what was found there, and how it differs from the file."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import replace
from ipaddress import ip_interface
from typing import TYPE_CHECKING

from labctl.plan import steps
from labctl.plan.change import CONSEQUENCE, UNWANTED, Change
from labctl.plan.facts import Link
from labctl.report.graph.model import Cable, Engine, Interface, Namespace, Picture, Tunnel
from labctl.topology.interface_ref import InterfaceRef

if TYPE_CHECKING:
    from labctl.lab.status import Status

_OF_ENGINES = (steps.StartEngine, steps.StopEngine, steps.ImpairEngine)
_FORWARDING = ("net/ipv4/ip_forward", "net/ipv4/conf/all/forwarding", "net/ipv6/conf/all/forwarding")


def of_status(picture: Picture, status: Status) -> Picture:
    """Return the picture of a file with what was found of the running lab; of an empty one all that was found."""
    return _Found(picture, status).picture()


class _Found:
    def __init__(self, picture: Picture, status: Status) -> None:
        self._picture = picture
        self._status = status
        self._changes: dict[str, list[Change]] = defaultdict(list)  # by subject
        for change in status.pending.changes if status.pending else ():
            if change.reason != CONSEQUENCE:
                self._changes[change.step.subject].append(change)
        self._running = {engine.device: engine.running for engine in status.engines}
        self._joined = {cable.device: cable.is_up for cable in status.cables}
        self._lost = {name: host.host for host in status.hosts if not host.reached for name in host.namespaces}

    def picture(self) -> Picture:
        drawn = {space.name: space for space in self._picture.namespaces}
        names = dict.fromkeys((*drawn, *self._status.namespaces))
        namespaces = tuple(self._namespace(name, drawn.get(name)) for name in names)
        cables = tuple(self._cables())
        return replace(
            self._picture,
            lab=self._status.lab,
            namespaces=namespaces,
            cables=cables,
            tunnels=tuple(self._tunnels(cables, namespaces)),
            state=self._state(),
        )

    def _state(self) -> str:
        if self._status.challenge is not None:
            return f"running ({self._status.mode}); a challenge runs: what is wrong is not told"
        if self._status.pending is None:
            return f"running ({self._status.mode}); its file cannot be compared"
        number = sum(map(len, self._changes.values()))
        if not number:
            where = f", but for {', '.join(sorted(set(self._lost.values())))}: not reached" if self._lost else ""
            return f"running ({self._status.mode}), as its file says{where}"
        return f"running ({self._status.mode}), differs from its file in {number} point{'s' * (number != 1)}"

    def _namespace(self, name: str, drawn: Namespace | None) -> Namespace:
        found = self._status.namespaces.get(name)
        if name in self._lost:
            return replace(drawn or Namespace(name), faults=(f"is not known: {self._lost[name]} is not reached",))
        if found is None:
            return replace(drawn or Namespace(name), faults=("is gone",), gone=True)
        known = {interface.ref.interface: interface for interface in drawn.interfaces} if drawn else {}
        others = [own for own in found.links if own not in known and (own != "lo" or self._changes[f"{name}:lo"])]
        interfaces = tuple(
            self._interface(InterfaceRef(name, own), known.get(own), found.links.get(own)) for own in (*known, *others)
        )
        faults = tuple(map(_words, self._changes[name]))
        switches = [found.sysctls[path] for path in _FORWARDING if path in found.sysctls]
        forwards = "1" in switches if switches else drawn is not None and drawn.forwards
        return replace(drawn or Namespace(name), interfaces=interfaces, faults=faults, forwards=forwards)

    def _interface(self, ref: InterfaceRef, drawn: Interface | None, link: Link | None) -> Interface:
        changes = self._changes[str(ref)]
        if link is None:
            assert drawn is not None, "an interface is in the file or was found"
            return replace(drawn, engine=self._engine(drawn, changes), faults=(steps.ABSENT,))
        of_link = [change for change in changes if not isinstance(change.step, _OF_ENGINES)]
        faults = tuple(map(_words, of_link)) or (("has no carrier",) if _is_cut_off(link) else ())
        if drawn is None and self._status.pending is not None and ref.interface != "lo":
            faults = (UNWANTED,)
        shown = drawn or Interface(ref, link.kind)
        return replace(
            shown,
            addresses=tuple(address for address in link.addresses if address in shown.addresses or _is_given(address)),
            master=link.master,
            impaired=str(link.netem) if link.netem else "",
            engine=self._engine(shown, changes),
            faults=faults,
        )

    def _engine(self, drawn: Interface, changes: list[Change]) -> Engine | None:
        engine = drawn.engine
        if engine is None:
            return None
        impaired = {words.split()[0]: words for words in engine.impaired}
        dead = self._death(str(drawn.ref), changes)
        faults = [dead] if dead else []
        for step, reason in changes:
            match step:
                case steps.ImpairEngine(direction=direction, impairment=written, before=before):
                    impaired[direction] = "" if before.is_none else f"{direction} {before}"
                    faults.append(f"should be: {direction} {written}")
                case steps.StartEngine() if not dead:
                    faults.append(reason)
        shown = tuple(filter(None, impaired.values()))
        return replace(engine, impaired=shown, faults=tuple(faults), dead=bool(dead))

    def _death(self, device: str, changes: list[Change]) -> str:
        """Return why nothing passes an engine; empty where it runs."""
        if any(isinstance(step, steps.StopEngine) and step.stopped for step, _ in changes):
            return "is stopped"
        if device not in self._running:
            return "is not running"
        return "" if self._running[device] else "has ended"

    def _cables(self) -> Iterator[Cable]:
        """Yield the cables of the file, dead where they are not whole, and those that were found besides."""
        ends: set[InterfaceRef] = set()
        for cable in self._picture.cables:
            ends |= cable.ends
            yield replace(cable, dead=not self._is_whole(cable))
        for name, space in self._status.namespaces.items():
            for own, link in space.links.items() if space else ():
                here_ref = InterfaceRef(name, own)
                if link.peer and not ends & {here_ref, link.peer}:
                    there = self._link(link.peer)
                    ends |= {here_ref, link.peer}
                    if there is not None:
                        yield Cable(here_ref, link.peer, not (link.up and there.up))

    def _is_whole(self, cable: Cable) -> bool:
        here, there = self._link(cable.one), self._link(cable.other)
        if not (here and there and here.up and there.up):
            return False
        ends = [str(end) for end in cable.ends]
        if any(end in self._joined for end in ends):  # between two hosts
            return all(self._joined.get(end) for end in ends)
        return (here.peer, there.peer) == (cable.other, cable.one)

    def _tunnels(self, cables: Iterable[Cable], namespaces: Iterable[Namespace]) -> Iterator[Tunnel]:
        """Yield the tunnels, dead where an engine, a device or a cable of the way is."""
        dead = {end for cable in cables if cable.dead for end in cable.ends}
        for interface in (interface for space in namespaces for interface in space.interfaces):
            link, engine = self._link(interface.ref), interface.engine
            if link is None or not link.up or (engine and engine.dead):
                dead.add(interface.ref)
        for tunnel in self._picture.tunnels:
            yield replace(tunnel, dead=not dead.isdisjoint((tunnel.device, tunnel.far, *tunnel.way)))

    def _link(self, ref: InterfaceRef) -> Link | None:
        space = self._status.namespaces.get(ref.namespace)
        return space.links.get(ref.interface) if space else None


def _words(change: Change) -> str:
    """Return a difference in a few words: `address 10.0.1.1/24 is not there`."""
    step, reason = change.step, change.reason
    if isinstance(step, steps.SetUp):
        return reason
    if isinstance(step, steps.SetSysctl):
        return f"{step.name} {reason}, should be {step.value}"
    return f"{step.words} {reason}" if reason in (steps.ABSENT, UNWANTED) else f"{step.words}: {reason}"


def _is_cut_off(link: Link) -> bool:
    return link.kind == "veth" and link.up and not link.carrier


def _is_given(address: str) -> bool:
    """Return whether an address is one that a person adds, not one that the kernel makes by itself."""
    host = ip_interface(address)
    return not (host.is_loopback or (host.version == 6 and host.is_link_local))
