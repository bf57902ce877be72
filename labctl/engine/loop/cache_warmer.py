"""The way of a lone packet, rehearsed: so the next one finds it in the caches.

What a packet that comes after a pause waits for is memory. Within a few milliseconds the caches belong to others, and
a turn of the interpreter that takes 5 us right after another takes 30 to 70 us then; a program in C, whose whole way
is a few hundred bytes, hardly notices. So an endpoint that may be idle sends a packet of its own round and round:
through the very functions and buffers that real packets go through, but over two sockets that are each connected to
themselves, where the TUN device and the peer would be. All it leaves is warm memory: nobody else can reach these
sockets, and the packet is counted where nobody looks.

`loop` says how often, and for how long after the last real packet.
"""

from __future__ import annotations

import socket
import struct

from labctl.engine.counters import Counters
from labctl.engine.forward import Forwarder
from labctl.engine.packets.routing_loop import OwnDatagrams
from labctl.engine.tun.device import TunDevice
from labctl.engine.udp.peer import UdpPeer, UdpStrangers

# What `ping` sends: an IPv4 packet of 84 bytes, ICMP, between addresses that are for documentation (RFC 5737).
_PACKET = struct.pack("!BBHIBBH4s4s64x", 0x45, 0, 84, 0, 64, 1, 0, bytes((192, 0, 2, 1)), bytes((192, 0, 2, 2)))


class Rehearsal:
    """A forwarder between ports that are like these, and a packet that goes round through it."""

    def __init__(self, tun: TunDevice, peer: UdpPeer, counters: Counters) -> None:
        self._sockets = _to_itself(), _to_itself()
        self._tun = tun.over(self._sockets[0].fileno())
        self._forwarder = Forwarder(
            self._tun,
            peer.over(self._sockets[1]),
            UdpStrangers(self._sockets[1], ("", 0)),
            names=("", ""),
            own=OwnDatagrams(b"", b""),
            counters=counters,
        )
        self._tun.send_lone(_PACKET)

    def once(self) -> None:
        """Send the packet round once. Call it only while no packet of the real ports is being handled."""
        self._tun.rested()
        self._forwarder.tun_to_peer()
        self._forwarder.peer_to_tun()

    def close(self) -> None:
        for each in self._sockets:
            each.close()


def _to_itself() -> socket.socket:
    """A socket whose datagrams come back to it, under a name that the kernel makes up (unix(7), autobind)."""
    made = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
    made.bind("")
    made.connect(made.getsockname())
    # As the real one, it is told something beside each datagram (unix(7)): to read that is part of the way.
    made.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
    return made
