"""Addresses that are not of one host: what is sent to one is taken in by several, or says no link to go to."""

from __future__ import annotations

from labctl.topology.model import Topology
from labctl.topology.values import Host


def not_of_one_host(topology: Topology, address: Host) -> str:
    """Return why an address is not that of one host, as far as it is known: a broadcast or a link-local one; else ''.

    A network with a prefix of 31 bits or longer has no broadcast address (RFC 3021).
    """
    if address.version == 6 and address.is_link_local:
        return "it is a link-local address, which every link has for itself"
    for name, space in topology.namespaces.items():
        for interface, written in space.interfaces.items():
            for own in written.addresses:
                network = own.network
                if own.version == 4 and network.prefixlen < 31 and address == network.broadcast_address:
                    return f"it is the broadcast address of {network}, the network of {name}:{interface}"
    return ""
