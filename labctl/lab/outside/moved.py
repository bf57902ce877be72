"""Tunnels that are at another port than a topology has for them: a sign that the lab is of another topology."""

from __future__ import annotations

from collections.abc import Mapping

from labctl.kernel import namespaces, sockets
from labctl.topology.interface_ref import InterfaceRef
from labctl.topology.model import Topology

_SHOWN = 3


def moved(topology: Topology) -> Mapping[InterfaceRef, str]:
    """Return, in words, for which endpoints nothing has their port, and something has another one.

    It is told what is so in the namespaces of this process's /run/netns: whose ports those are is not known.
    """
    found = {}
    for endpoint in topology.ttun:
        ref, port = endpoint.device, endpoint.bind.port
        if namespaces.taken(ref.namespace) and (others := _ports(ref.namespace)) and port not in others:
            told = ", ".join(map(str, sorted(others)[:_SHOWN]))
            found[ref] = f"nothing has UDP port {port}, that of {ref}, in {ref.namespace}, and something has {told}"
    return found


def _ports(namespace: str) -> frozenset[int]:
    with namespaces.inside(namespace):
        return sockets.ports("udp")
