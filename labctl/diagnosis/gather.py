"""Who asks: everything that questions are asked about, gathered once a check has failed. The only IO of a diagnosis.

Taps and counters are looked at from before a check until after it (`Watch`), so that what they show is of the run that
failed. What the kernel would do with each packet of the way is asked afterwards, in the namespace of each stage.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass, field, replace
from ipaddress import ip_address

from labctl.diagnosis.facts import Case, Space
from labctl.diagnosis.path import Kind, Stage
from labctl.errors import LabError
from labctl.kernel import interfaces, namespaces, programs, snmp, sock_diag, sysctls, xfrm
from labctl.kernel.addresses import Address
from labctl.kernel.conntrack import connections
from labctl.kernel.flow import Flow
from labctl.kernel.lookup import NoWay, Way, route_in, route_out
from labctl.kernel.nftables.ruleset import Chain, chains
from labctl.kernel.nftables.trace import Event, FirewallTrace
from labctl.kernel.packet_taps import EVERYTHING, PacketTaps, Seen
from labctl.kernel.traffic_control import TrafficControl, traffic_control
from labctl.kernel.xfrm import Policy
from labctl.plan import facts as plan
from labctl.topology.iproute import IP_PROTOCOLS
from labctl.topology.values import Host

_NAMES = {number: name for name, number in IP_PROTOCOLS.items()}
PAUSE = 0.02
"""Seconds between two looks at a trace."""


class Watch:
    """Taps on some namespaces and their counters, from one look to the next."""

    def __init__(self, names: Iterable[str]) -> None:
        """Open the taps. A namespace that is gone is left out."""
        self.names = [name for name in names if namespaces.taken(name)]
        self._taps = PacketTaps(self.names)
        self._before: dict[str, Counted] = {}
        self._seen: list[Seen] = []

    def close(self) -> None:
        """See no more."""
        self._taps.close()

    def begin(self, names: Iterable[str], program: bytes = EVERYTHING) -> None:
        """Forget what was seen until now, and count from now on in some of the namespaces.

        What a filter does not accept is not looked at.
        """
        self._taps.show(program)
        self._taps.crossed()
        self._seen = []
        self._before = {name: counted(name) for name in names}

    def crossed(self) -> list[Seen]:
        """Return what has been seen since `begin`."""
        self._seen += self._taps.crossed()
        return self._seen

    def moved(self, name: str) -> Counted:
        """Return what was counted in a namespace since `begin`."""
        now, before = counted(name), self._before.get(name, Counted())
        return now.since(before)


@dataclass(frozen=True)
class Counted:
    """What the kernel counted in a namespace: by the names of nstat(8), what interfaces did not take in, and queues."""

    snmp: Mapping[str, int] = field(default_factory=dict)
    dropped: Mapping[str, int] = field(default_factory=dict)
    control: Mapping[str, TrafficControl] = field(default_factory=dict)

    def since(self, before: Counted) -> Counted:
        """Return what was added, without what did not change."""
        nothing = TrafficControl((), ())
        control = {name: each.since(before.control.get(name, nothing)) for name, each in self.control.items()}
        return Counted(snmp.moved(before.snmp, self.snmp), snmp.moved(before.dropped, self.dropped), control)


def counted(name: str) -> Counted:
    """Return what was counted in a namespace so far."""
    with suppress(LabError, OSError), namespaces.inside(name):
        found = interfaces.details()
        dropped = {each: details.statistics.get("rx_dropped", 0) for each, details in found.items()}
        return Counted(snmp.counters(), dropped, traffic_control())
    return Counted()


def space(name: str, seen: plan.Namespace | None, watch: Watch) -> Space:
    """Return what there is of a namespace on the way; `seen` is what was observed of it already."""
    if seen is None or not namespaces.taken(name):
        return Space(gone=True, remade=namespaces.taken(name))
    with namespaces.inside(name):
        found = interfaces.details()
        settings = sysctls.on_the_way(list(found))
        sockets = [*sock_diag.sockets("udp"), *sock_diag.sockets("tcp")]
        readers = programs.with_tun_devices()
        firewall, followed, policies = _chains(), connections(), _policies()
    owners = programs.with_sockets({each.inode for each in sockets})
    moved = watch.moved(name)
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
    )


def elsewhere(seen: plan.Namespace) -> Space:
    """Return what is known of a namespace that is not on the way: its interfaces and addresses."""
    addresses = {name: tuple(map(_plain, link.addresses)) for name, link in seen.links.items()}
    return Space(links=seen.links, addresses=addresses)


def _plain(text: str) -> Address:
    host, _, length = text.partition("/")
    return Address(host.partition(" ")[0], int(length))


def _chains() -> tuple[Chain, ...]:
    with suppress(OSError):  # this kernel has no nftables
        return chains()
    return ()


def _policies() -> Sequence[Policy]:
    with suppress(OSError):  # this kernel has no IPsec
        return xfrm.policies()
    return ()


def look_ups(
    stages: Iterable[Stage], marks: Mapping[Stage, int] | None = None
) -> tuple[dict[Stage, Way | NoWay], dict[Stage, Way | NoWay]]:
    """Return what the kernel says of the packet of each stage, and of the way back to its source where it arrives.

    Where the sender's kernel lets packets leave as the file says, but from another address, that is their source.
    `marks` are those that the packets of some stages have.
    """
    meant: Host | None = None
    source: Host | None = None
    ways: dict[Stage, Way | NoWay] = {}
    returns: dict[Stage, Way | NoWay] = {}
    for stage in stages:
        if stage.kind not in (Kind.SEND, Kind.FORWARD, Kind.DELIVER) or not namespaces.taken(stage.namespace):
            continue
        if not stage.depth and stage.kind is Kind.SEND and not stage.back:
            meant = stage.flow.source
        flow = replace(_as_sent(stage, meant, source), mark=(marks or {}).get(stage, 0))
        with namespaces.inside(stage.namespace):
            if not stage.arrives or stage.arrives == "lo":
                ways[stage] = way = route_out(flow)
                if flow.source is None and isinstance(way, Way) and way.interface == stage.leaves and way.source:
                    source = ip_address(way.source)
                continue
            with suppress(OSError):  # the interface is not there
                ways[stage] = route_in(flow, stage.arrives)
            if flow.source is not None:
                returns[stage] = route_out(replace(flow.answer, sport=0, dport=0, source=None))
    return ways, returns


def _as_sent(stage: Stage, meant: Host | None, source: Host | None) -> Flow:
    """Return the flow of a stage with the source that was really chosen for the one that is `meant`."""
    if stage.depth or (stage.kind is Kind.SEND and not stage.back):
        return replace(stage.flow, source=None) if not stage.depth else stage.flow
    if source is None or meant not in (stage.flow.to, stage.flow.source):  # it is hidden behind another one by then
        return stage.flow
    return replace(stage.flow, to=source) if stage.back else replace(stage.flow, source=source)


def traced(case: Case, again: Callable[[], object], patience: float) -> dict[str, list[Event]]:
    """Send a probe `again`, and return which rules its packets met in each namespace that has a firewall.

    They are known by the flows of the file, and, as NAT may change them, by those of the answers that were seen.
    `patience` are the seconds for which packets may still come, as the next ARP request. The tables of the trace go
    with it.
    """
    hops = [stage.via or stage.flow.to for stage in case.stages if stage.kind in (Kind.SEND, Kind.FORWARD)]
    traces: dict[str, FirewallTrace] = {}
    with ExitStack() as opened:
        for name, space_ in case.spaces.items():
            flows = [*(stage.flow for stage in case.stages if stage.namespace == name), *_flows(case, name)]
            errors = [Flow(flow.source, None, "icmp") for flow in flows if flow.source and flow.source.version == 4]
            if space_.chains and flows:
                with suppress(OSError), namespaces.inside(name):
                    wanted = list(dict.fromkeys((*flows, *errors)))
                    traces[name] = opened.enter_context(closing(FirewallTrace(space_.chains, wanted, hops)))
        if traces:
            again()
        found: dict[str, list[Event]] = {name: [] for name in traces}
        end = time.monotonic() + patience
        while True:
            for name, trace in traces.items():
                with suppress(OSError):  # there were more than it could keep
                    found[name] += trace.events()
            if time.monotonic() > end or any(event.is_end for events in found.values() for event in events):
                return found
            time.sleep(PAUSE)


def _flows(case: Case, namespace: str) -> Iterator[Flow]:
    """Yield the flows of the answers as they came to a namespace."""
    for journey in case.answers:
        for each in journey.sightings:
            if each.station.namespace == namespace and not each.station.outgoing and each.layers:
                packet = each.layers[0]
                protocol = _NAMES.get(packet.protocol, "")
                ports = packet.ports or (0, 0)
                yield Flow(ip_address(packet.destination), ip_address(packet.source), protocol, *ports)
