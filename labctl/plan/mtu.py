"""The MTU of a tunnel: what the underlay carries, less what the tunnel adds.

A packet of the TUN travels as the payload of one UDP datagram. The datagram adds a UDP header (8 bytes, RFC 768) and an
IP header (20 bytes, RFC 791; 40 for IPv6, RFC 8200). A TUN with a larger MTU works too, but each of its full packets
is then sent in two fragments.
"""

from __future__ import annotations

from labctl.topology import model
from labctl.topology.model import Topology
from labctl.topology.routing import lookup

OVERHEAD = {4: 20 + 8, 6: 40 + 8}
DEFAULT_MTU = {"lo": 65536, "dummy": 1500, "veth": 1500, "bridge": 1500}
SMALLEST = {4: 68, 6: 1280}


def tunnel_mtu(topology: Topology, namespace: str, interface: str) -> int | None:
    """The MTU in bytes for a TUN whose file names none, or None where there is nothing to derive it from."""
    space = topology.namespaces[namespace]
    device = space.interfaces[interface]
    if not isinstance(device, model.Tun):
        return None
    endpoint = next((e for e in topology.ttun if e.device == (namespace, interface)), None)
    if endpoint is None:
        return None
    way = lookup(space, endpoint.peer.host)
    if way is None or way.local:
        return None  # a peer on the same host is reached through lo, which carries anything
    underlay = space.interfaces[way.interface]
    underlay_mtu = underlay.mtu or DEFAULT_MTU.get(underlay.kind)
    if underlay_mtu is None:
        return None
    smallest = max((SMALLEST[address.version] for address in device.addresses), default=SMALLEST[4])
    return max(underlay_mtu - OVERHEAD[endpoint.peer.host.version], smallest)


def mtu_of(topology: Topology, namespace: str, interface: str) -> int:
    """The MTU that an interface of a lab has, in bytes."""
    found = topology.namespaces[namespace].interfaces.get(interface)
    if found is None:
        return DEFAULT_MTU["lo"]
    return found.mtu or tunnel_mtu(topology, namespace, interface) or DEFAULT_MTU.get(found.kind, 1500)


def packets(size: int, mtu: int, version: int) -> int:
    """How many IP packets carry `size` bytes behind an 8-byte header, as ICMP echo and UDP have it.

    Each fragment but the last has a multiple of 8 bytes (RFC 791, RFC 8200); IPv6 adds a fragment header of 8.
    """
    payload = size + 8
    header = {4: 20, 6: 40}[version]
    if payload <= mtu - header:
        return 1
    room = mtu - header - (8 if version == 6 else 0)
    whole = room // 8 * 8
    return 1 + -(-max(payload - room, 0) // whole)
