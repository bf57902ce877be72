"""The rules that packets of a probe meet, in every namespace that has a firewall: it is sent once more, and traced."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from ipaddress import ip_address

from labctl.diagnosis.facts import Case
from labctl.diagnosis.gather import Gather, Met
from labctl.diagnosis.path import Kind
from labctl.diagnosis.walk import in_question
from labctl.kernel.flow import Flow
from labctl.kernel.nftables.trace import Event
from labctl.topology.iproute import IP_PROTOCOLS

_NAMES = {number: name for name, number in IP_PROTOCOLS.items()}
PAUSE = 0.02
"""Seconds between two looks at a trace."""


def traced(gather: Gather, case: Case, again: Callable[[], object], patience: float) -> dict[str, list[Event]]:
    """Send a probe `again`, and return which rules its packets met in each namespace that has a firewall.

    They are known by the flows of the file, and, as NAT may change them, by those of the answers that were seen.
    `patience` are the seconds for which packets may still come, as the next ARP request.
    """
    found: dict[str, list[Event]] = {name: [] for name in gather.begin_trace(dict(_wanted(case)))}
    try:
        if found:
            again()
        end = time.monotonic() + patience
        while found:
            for name, events in gather.events().items():
                found.setdefault(name, []).extend(events)
            if time.monotonic() > end or any(event.is_end for events in found.values() for event in events):
                break
            time.sleep(PAUSE)
    finally:
        gather.end_trace()
    return found


def _wanted(case: Case) -> Iterator[tuple[str, Met]]:
    """Yield the namespaces that have a firewall which packets of the probe may meet, and those packets.

    Datagrams of a tunnel carry the packets of others, too, and are traced only where it is they that were lost.
    """
    lost = in_question(case)
    met = [stage for stage in case.stages if not stage.depth or stage in lost]
    hops = [stage.via or stage.flow.to for stage in case.stages if stage.kind in (Kind.SEND, Kind.FORWARD)]
    for name, space in case.spaces.items():
        flows = [*(stage.flow for stage in met if stage.namespace == name), *_flows(case, name)]
        errors = [Flow(flow.source, None, "icmp") for flow in flows if flow.source and flow.source.version == 4]
        if space.chains and flows:
            yield name, Met(space.chains, list(dict.fromkeys((*flows, *errors))), hops)


def _flows(case: Case, namespace: str) -> Iterator[Flow]:
    """Yield the flows of the answers as they came to a namespace."""
    for journey in case.answers:
        for each in journey.sightings:
            if each.station.namespace == namespace and not each.station.outgoing and each.layers:
                packet = each.layers[0]
                protocol = _NAMES.get(packet.protocol, "")
                ports = packet.ports or (0, 0)
                yield Flow(ip_address(packet.destination), ip_address(packet.source), protocol, *ports)
