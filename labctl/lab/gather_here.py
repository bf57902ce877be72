"""What a diagnosis asks of a lab, answered where the lab lives: the kernel is asked in its namespaces."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING

from labctl.checks.probes import Probes
from labctl.checks.results import Outcome
from labctl.diagnosis.facts import CableEnd, Engine, Space
from labctl.diagnosis.gather import Looked, LookUp, Met, elsewhere
from labctl.errors import LabError
from labctl.kernel import interfaces, namespaces, programs, sock_diag, sysctls, xfrm
from labctl.kernel.conntrack import Connection, connections
from labctl.kernel.lookup import NoWay, Way, route_in, route_out
from labctl.kernel.nftables.ruleset import Chain, chains
from labctl.kernel.nftables.trace import Event, FirewallTrace
from labctl.kernel.packet_taps import PacketTaps, Seen
from labctl.kernel.xfrm import Policy
from labctl.lab.counted import Counted, counted
from labctl.lab.engines.stats import EngineStats
from labctl.lab.journal import Recorded
from labctl.lab.observed import facts
from labctl.lab.state import State
from labctl.plan import facts as plan
from labctl.plan.change import Change
from labctl.plan.desired import Desired
from labctl.plan.plan import between
from labctl.process.patience import Patience
from labctl.topology.interface_ref import InterfaceRef
from labctl.topology.model import Probe

if TYPE_CHECKING:
    from labctl.lab.cables.status import CableStatus

MEMORY = 2 << 20
"""Bytes that are kept of the packets of a namespace: more are not looked at in the time that a check has."""

BEAT_COMES = 1.0
"""Seconds in which the next beat of an end of a cable comes: one is sent every 0.4 s (engine/cable/line.py)."""


class GatherHere:
    """Answers about the namespaces and engines of a lab that lives here (diagnosis.gather.Gather).

    What there is of the lab, as it is compared with its file, is looked at once.
    """

    def __init__(self, state: State, wanted: Desired) -> None:
        self._state, self._wanted = state, wanted
        self._recorded: Recorded = state.read()
        self._taps = PacketTaps()
        self._before: dict[str, Counted] = {}
        self._counted: dict[InterfaceRef, dict[str, int]] = {}
        self._seen: list[Seen] = []
        self._missed = 0
        self._traces: dict[str, FirewallTrace] = {}

    def close(self) -> None:
        """See no more, and leave nothing of a trace."""
        self.end_trace()
        self._taps.close()

    def watch(self, names: Collection[str]) -> Collection[str]:
        there = [name for name in names if namespaces.taken(name)]
        self._taps.close()
        self._taps = PacketTaps(there, memory=MEMORY)
        return there

    def begin(self, names: Collection[str], program: bytes) -> None:
        self._counted = {device: self._counters(device) for device in self._recorded.engines}
        self._counted |= {device: end.counters for device, end in self._ends()}
        self._taps.show(program)
        self._taps.crossed()
        self._seen, self._missed = [], self._taps.missed()
        self._before = {name: counted(name) for name in names}

    def seen(self) -> Looked:
        packets, missed = self.unread()
        self._seen += packets
        return Looked(self._seen, missed)

    def unread(self) -> Looked:
        """Return the packets that were seen since this was asked last; of what was missed, all since `begin`."""
        return Looked(self._taps.crossed(), self._taps.missed() - self._missed)

    @cached_property
    def _facts(self) -> plan.Facts:
        return facts(self._state, self._recorded, self._wanted)

    def namespaces(self) -> Mapping[str, plan.Namespace]:
        return self._facts.namespaces

    def changes(self) -> Sequence[Change]:
        return between(self._wanted, self._facts).changes

    def spaces(self, names: Collection[str]) -> Mapping[str, Space]:
        return {name: self._space(name) for name in names}

    def _space(self, name: str) -> Space:
        seen = self._facts.namespaces.get(name)
        if seen is None or not namespaces.taken(name):
            return Space(gone=True, remade=namespaces.taken(name))
        with namespaces.inside(name):
            found = interfaces.details()
            settings = sysctls.on_the_way(list(found))
            sockets = [*sock_diag.sockets("udp"), *sock_diag.sockets("tcp")]
            has_devices = any(link.kind in ("tun", "tap") for link in seen.links.values())
            readers = programs.with_tun_devices() if has_devices else {}  # it looks at every process
            firewall, followed, policies = _chains(), connections(), _policies()
        owners = programs.with_sockets({each.inode for each in sockets})
        moved = counted(name).since(self._before.get(name, Counted()))
        return replace(
            elsewhere(seen),
            addresses={each: details.addresses for each, details in found.items()},
            neighbours={each: details.neighbours for each, details in found.items()},
            routes=seen.routes,
            rules=seen.rules,
            settings=settings,
            sockets=sockets,
            owners=owners,
            readers=readers,
            chains=firewall,
            firewall=seen.firewall,
            connections=followed,
            control=moved.control,
            policies=policies,
            moved=moved.snmp,
            dropped=moved.dropped,
            unsent=moved.unsent,
        )

    def engines(self) -> Mapping[InterfaceRef, Engine]:
        return dict(self._engines())

    def _engines(self) -> Iterator[tuple[InterfaceRef, Engine]]:
        for device, engine in self._recorded.engines.items():
            running, before = self._facts.engines.get(device), self._counted.get(device, {})
            alive = engine.process.alive()
            yield (
                device,
                Engine(
                    device,
                    engine.process.pid,
                    alive,
                    alive and engine.process.stopped(),
                    str(engine.spec.bind),
                    str(engine.spec.peer),
                    " ".join(engine.spec.program),
                    {
                        way: str(each)
                        for way, each in (running.impairments if running else {}).items()
                        if str(each) != "none"
                    },
                    _since(before, self._counters(device)),
                ),
            )

    def _counters(self, device: InterfaceRef) -> dict[str, int]:
        return EngineStats.of(device, self._state).counters

    def cables(self) -> Mapping[InterfaceRef, CableEnd]:
        self._hear_beats()
        return {
            device: CableEnd(
                device,
                end.running,
                end.stopped,
                end.state,
                end.port,
                str(end),
                end.seen().instead,
                bool(end.counters.get("instead_not_authentic")),
                end.counters.get("send_errno", 0),
                _since(self._counted.get(device, {}), end.counters),
            )
            for device, end in self._ends()
        }

    def _hear_beats(self) -> None:
        """Wait until each end that is joined has heard the next beat: it says how much was sent, and so what was lost.

        What was sent before this is asked is in it.
        """
        heard = {device: _beats(end) for device, end in self._ends() if end.is_up}
        for _ in Patience(BEAT_COMES if heard else 0).looks():
            if all(_beats(end) > heard[device] for device, end in self._ends() if device in heard and end.is_up):
                return

    def _ends(self) -> Iterator[tuple[InterfaceRef, CableStatus]]:
        if self._recorded.cables:
            from labctl.lab.cables.ends import cable_status  # which labs on one machine do without

            yield from ((device, cable_status(end, self._state)) for device, end in self._recorded.cables.items())

    def connections(self, names: Collection[str]) -> Mapping[str, Sequence[Connection]]:
        return dict(_connections(name for name in names if name in self._facts.namespaces))

    def look_ups(self, asked: Sequence[LookUp]) -> Sequence[Way | NoWay | None]:
        return [*map(_look_up, asked)]

    def setting(self, namespace: str, path: str) -> str | None:
        with suppress(LabError), namespaces.inside(namespace):
            return sysctls.read([path]).get(path)
        return None

    def begin_trace(self, wanted: Mapping[str, Met]) -> Collection[str]:
        self.end_trace()
        for name, met in wanted.items():
            with suppress(OSError), namespaces.inside(name):
                self._traces[name] = FirewallTrace(*met)
        return [*self._traces]

    def events(self) -> Mapping[str, Sequence[Event]]:
        return {name: list(trace.events()) for name, trace in self._traces.items()}

    def end_trace(self) -> None:
        while self._traces:
            self._traces.popitem()[1].close()

    def ask(self, probe: Probe) -> Outcome:
        return Probes(Patience).ask(probe)


def _since(before: Mapping[str, int], now: Mapping[str, int]) -> dict[str, int]:
    return {name: count - before.get(name, 0) for name, count in now.items()}


def _connections(names: Iterable[str]) -> Iterator[tuple[str, Sequence[Connection]]]:
    for name in names:
        with namespaces.inside(name):
            yield name, connections()


def _look_up(asked: LookUp) -> Way | NoWay | None:
    if not namespaces.taken(asked.namespace):
        return None
    with suppress(OSError), namespaces.inside(asked.namespace):  # the interface is not there
        return route_in(asked.flow, asked.arrives) if asked.arrives else route_out(asked.flow)
    return None


def _chains() -> tuple[Chain, ...]:
    with suppress(OSError):  # this kernel has no nftables
        return chains()
    return ()


def _policies() -> Sequence[Policy]:
    with suppress(OSError):  # this kernel has no IPsec
        return xfrm.policies()
    return ()


def _beats(end: CableStatus) -> int:
    return end.counters.get("beats_received", 0)
