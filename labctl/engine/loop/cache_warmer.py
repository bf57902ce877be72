"""Keep in the CPU's caches what a lone packet takes, so that one that comes after a pause finds it there.

What a packet waits for after a pause is memory. Within a few milliseconds the caches belong to other processes, and a
pass through the interpreter that takes 5 us right after another takes 30 to 70 us then; a program in C, whose whole
path is a few hundred bytes, hardly notices. So an endpoint that may be idle sends a packet of its own round: through
the very functions and buffers that real packets go through, but over two sockets that are each connected to
themselves, in place of the TUN device and the peer. No other process can reach these sockets, and the packet is
counted in counters of its own. `idling` says how often, and for how long after the last real packet.
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


class CacheWarmer:
    """A forwarder between copies of two ports, which share their buffers, and a packet that goes round through it."""

    def __init__(self, tun: TunDevice, peer: UdpPeer, counters: Counters) -> None:
        self._sockets = _looped_socket(), _looped_socket()
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

    def warm(self) -> None:
        """Send the packet round once. Call it only while no packet of the real ports is being handled."""
        self._tun.rested()
        self._forwarder.tun_to_peer()
        self._forwarder.peer_to_tun()

    def close(self) -> None:
        """Close the sockets; the real ports stay open."""
        for each in self._sockets:
            each.close()


def _looped_socket() -> socket.socket:
    """Return a socket whose datagrams come back to it, under a name that the kernel assigns (unix(7), autobind)."""
    made = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
    made.bind("")
    made.connect(made.getsockname())
    # Like the real one, it receives ancillary data with each datagram (unix(7)): to read that is part of the path.
    made.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
    return made
