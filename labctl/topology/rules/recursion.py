"""No tunnel carries itself, not by way of other tunnels either.

A packet of a TUN device leaves in a datagram, and the datagram takes the way to the peer. Where that way leads into the
same TUN device, or into others whose ways lead back into it, the datagram is a packet of the tunnel again: one ping
makes datagrams without end. A tunnel in a tunnel whose way ends outside of both is no mistake.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping

from labctl.topology.interface_ref import InterfaceRef
from labctl.topology.model import Topology
from labctl.topology.rules.finding import Finding
from labctl.topology.ways import Way

_Into = Mapping[InterfaceRef, tuple[InterfaceRef, ...]]
"""The tunnels that the way of a tunnel leads into, each by its TUN device."""


def of_recursion(topology: Topology, ways: Mapping[InterfaceRef, Way]) -> Iterator[Finding]:
    """Yield every cycle once, at the endpoint of it that stands first in the file."""
    into = {device: tuple(ref for ref in way.interfaces if ref in ways) for device, way in ways.items()}
    suspects = _leading_to_a_cycle(into)
    seen: set[InterfaceRef] = set()
    for index, endpoint in enumerate(topology.ttun):
        device = endpoint.device
        cycle = _cycle(device, into) if device in suspects - seen else ()
        if cycle:
            seen.update(cycle)
            words = ", whose way leads into ".join(map(str, (*cycle[1:], device)))
            what = f"the way of {device} to {endpoint.peer.host} leads into {words}"
            hint = f"a packet would make others without end: route {endpoint.peer.host} through another interface"
            looked_at = dict.fromkeys(ref.namespace for member in cycle for ref in (member, *ways[member].interfaces))
            yield Finding(("ttun", index, "peer"), what, hint, tuple(("namespaces", name) for name in looked_at))


def _leading_to_a_cycle(into: _Into) -> set[InterfaceRef]:
    """Return all but the tunnels whose ways end: in the order of `Ways.of_tunnels` what they lead into comes first."""
    ending: set[InterfaceRef] = set()
    for device, others in into.items():
        if ending.issuperset(others):
            ending.add(device)
    return set(into) - ending


def _cycle(device: InterfaceRef, into: _Into) -> tuple[InterfaceRef, ...]:
    """Return the shortest way through tunnels from one back to itself, without its end; empty where there is none."""
    before: dict[InterfaceRef, InterfaceRef] = {}
    ahead = deque([device])
    while ahead and device not in before:
        here = ahead.popleft()
        for there in into[here]:
            if there not in before:
                before[there] = here
                ahead.append(there)
    if device not in before:
        return ()
    back = [before[device]]
    while back[-1] != device:
        back.append(before[back[-1]])
    return tuple(reversed(back))
