"""What is no mistake, and most likely not meant: an endpoint whose peer is no endpoint, or one that peers with another,
a namespace that masquerades and forwards nothing, a host that no namespace is on, and links whose hosts do not find
each other.

Another program may well be the peer, so a lab is made all the same.
"""

from __future__ import annotations

from collections.abc import Iterator

from labctl.topology.model import Topology, TunnelEndpoint
from labctl.topology.paths import Path
from labctl.topology.routing import fibs_of
from labctl.topology.rules.finding import Finding
from labctl.topology.rules.firewall import masquerades_for_nothing
from labctl.topology.rules.hosts import without_use
from labctl.topology.rules.links import not_found
from labctl.topology.unknown_names import listed


def warnings_of(topology: Topology) -> Iterator[Finding]:
    """Yield every warning about a topology that has no mistakes."""
    yield from masquerades_for_nothing(topology)
    yield from without_use(topology)
    yield from not_found(topology)
    fibs = fibs_of(topology)
    for index, endpoint in enumerate(topology.ttun):
        path: Path = ("ttun", index, "peer")
        there = [
            other
            for other in topology.ttun
            if other is not endpoint
            and other.bind.port == endpoint.peer.port
            and (
                other.bind.host == endpoint.peer.host
                or (other.bind.host.is_unspecified and fibs[other.device.namespace].owner_of(endpoint.peer.host))
            )
        ]
        if not there:
            yield Finding(path, f"no endpoint is bound to the peer {endpoint.peer}", _bound(topology, endpoint))
        elif not any(_takes(other, endpoint) for other in there):
            what = f"{there[0].device}, which is bound to {endpoint.peer}, takes datagrams of {there[0].peer} alone"
            yield Finding(path, what, f"{endpoint.device} sends from {endpoint.bind}: one of the two is not meant")


def _takes(there: TunnelEndpoint, endpoint: TunnelEndpoint) -> bool:
    """Return whether an endpoint accepts what another sends; from which address a wildcard sends, no file says."""
    source = endpoint.bind
    return there.peer.port == source.port and (source.host.is_unspecified or there.peer.host == source.host)


def _bound(topology: Topology, endpoint: TunnelEndpoint) -> str:
    bound = [f"{other.device} is bound to {other.bind}" for other in topology.ttun if other is not endpoint]
    return listed(bound) if bound else "add an endpoint that binds it, or run a program there that does"
