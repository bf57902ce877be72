"""The MTU of a tunnel: what the way of its datagrams carries, less what the tunnel adds.

A packet of the TUN travels as the payload of one UDP datagram. The datagram adds a UDP header (8 bytes, RFC 768) and an
IP header (20 bytes, RFC 791; 40 for IPv6, RFC 8200). A TUN with a larger MTU works too, but each of its full packets
is then sent in two fragments.

The way is followed hop by hop through the file, so the narrowest of its interfaces counts wherever that is: behind a
bridge, in a namespace that forwards, or another TUN whose MTU is derived in the same way. Where the file does not show
where a way leads, what it shows of it counts.
"""

from __future__ import annotations

from labctl.topology.interface_ref import InterfaceRef
from labctl.topology.model import Bridge
from labctl.topology.routed import Routed
from labctl.topology.ways import Way

OVERHEAD = {4: 20 + 8, 6: 40 + 8}
DEFAULT_MTU = {"lo": 65536, "dummy": 1500, "veth": 1500, "bridge": 1500}
SMALLEST = {4: 68, 6: 1280}


class Mtus:
    """The MTU of every interface of a lab, in bytes.

    `derived` are those of the TUN devices whose file names none, where there is an underlay to derive it from. Each is
    what the endpoint's own way to its peer carries. The way back is the other endpoint's: a packet of this TUN never
    takes it, and TCP heeds both, for each end announces its own in the MSS option (RFC 9293, section 3.7.1).
    """

    def __init__(self, routed: Routed) -> None:
        self._spaces = routed.topology.namespaces
        self.derived: dict[InterfaceRef, int] = {}
        peers = {endpoint.device: endpoint.peer.host for endpoint in reversed(routed.topology.ttun)}
        for ref, way in routed.ways.items():  # what a way leads into comes before it
            device = self._spaces[ref.namespace].interfaces[ref.interface]
            carried = self._carried_by(way)
            if device.mtu is None and carried is not None:
                smallest = max((SMALLEST[address.version] for address in device.addresses), default=SMALLEST[4])
                self.derived[ref] = max(carried - OVERHEAD[peers[ref].version], smallest)

    def of(self, ref: InterfaceRef) -> int:
        """Return the MTU that an interface has."""
        found = self._spaces[ref.namespace].interfaces.get(ref.interface)
        if found is None:
            return DEFAULT_MTU["lo"]
        if found.mtu is None and isinstance(found, Bridge) and found.ports:
            # A bridge follows the smallest of its ports (br_mtu_auto_adjust() in the kernel).
            return min(self.of(InterfaceRef(ref.namespace, port)) for port in found.ports)
        return found.mtu or self.derived.get(ref) or DEFAULT_MTU.get(found.kind, 1500)

    def _carried_by(self, way: Way) -> int | None:
        """Return the largest packet that a way carries in one piece, as far as the file shows the way.

        None for a way that leaves no interface, which is one to the same host: lo carries any packet.
        """
        of_routes = [] if way.mtu is None else [way.mtu]
        return min((*map(self.of, way.interfaces), *of_routes), default=None)


def packets(size: int, mtu: int, version: int) -> int:
    """Return how many IP packets carry `size` bytes behind an 8-byte header, as ICMP echo and UDP have it.

    Each fragment but the last has a multiple of 8 bytes (RFC 791, RFC 8200); IPv6 adds a fragment header of 8.
    """
    payload = size + 8
    header = {4: 20, 6: 40}[version]
    if payload <= mtu - header:
        return 1
    capacity = mtu - header - (8 if version == 6 else 0)
    whole = capacity // 8 * 8
    return 1 + -(-max(payload - capacity, 0) // whole)
