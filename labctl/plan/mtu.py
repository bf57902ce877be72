"""The MTU of a tunnel: what the underlay carries, less what the tunnel adds.

A packet of the TUN travels as the payload of one UDP datagram. The datagram adds a UDP header (8 bytes, RFC 768) and an
IP header (20 bytes, RFC 791; 40 for IPv6, RFC 8200). A TUN with a larger MTU works too, but each of its full packets
is then sent in two fragments.
"""

from __future__ import annotations

from collections.abc import Mapping

from labctl.topology.model import Bridge, Endpoint, Topology
from labctl.topology.routing import Fib, fibs_of
from labctl.topology.values import InterfaceRef

OVERHEAD = {4: 20 + 8, 6: 40 + 8}
DEFAULT_MTU = {"lo": 65536, "dummy": 1500, "veth": 1500, "bridge": 1500}
SMALLEST = {4: 68, 6: 1280}


def tunnel_mtus(topology: Topology) -> dict[InterfaceRef, int]:
    """The MTU in bytes for each TUN whose file names none, where there is an underlay to derive it from."""
    fibs = fibs_of(topology)
    found = ((endpoint.device, _tunnel_mtu(topology, fibs, endpoint)) for endpoint in topology.ttun)
    return {device: mtu for device, mtu in found if mtu is not None}


def _tunnel_mtu(topology: Topology, fibs: Mapping[str, Fib], endpoint: Endpoint) -> int | None:
    space = topology.namespaces[endpoint.device.namespace]
    device = space.interfaces[endpoint.device.interface]
    if device.mtu:
        return None
    way = fibs[endpoint.device.namespace].lookup(endpoint.peer.host)
    if way is None or way.local:
        return None  # a peer on the same host is reached through lo, which carries anything
    underlay = space.interfaces[way.interface]
    underlay_mtu = underlay.mtu or DEFAULT_MTU.get(underlay.kind)
    if underlay_mtu is None:
        return None
    smallest = max((SMALLEST[address.version] for address in device.addresses), default=SMALLEST[4])
    return max(underlay_mtu - OVERHEAD[endpoint.peer.host.version], smallest)


def mtu_of(topology: Topology, ref: InterfaceRef, tunnels: Mapping[InterfaceRef, int]) -> int:
    """The MTU that an interface of a lab has, in bytes; `tunnels` are what `tunnel_mtus` gave."""
    found = topology.namespaces[ref.namespace].interfaces.get(ref.interface)
    if found is None:
        return DEFAULT_MTU["lo"]
    if found.mtu is None and isinstance(found, Bridge) and found.ports:
        # A bridge follows the smallest of its ports (br_mtu_auto_adjust() in the kernel).
        return min(mtu_of(topology, InterfaceRef(ref.namespace, port), tunnels) for port in found.ports)
    return found.mtu or tunnels.get(ref) or DEFAULT_MTU.get(found.kind, 1500)


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
