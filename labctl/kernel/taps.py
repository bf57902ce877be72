"""Looking at the packets of an interface, as packet(7) lets one: copies, with the moment in which the kernel saw them.

A superframe that the kernel has not cut yet is seen whole, as tcpdump would show it.
"""

from __future__ import annotations

import select
import socket
import struct
import time
from collections.abc import Iterator
from dataclasses import dataclass

from labctl.errors import refused
from labctl.kernel import namespaces, stamps

ETH_P_ALL = 0x0003  # linux/if_ether.h
ARPHRD_NONE = 0xFFFE  # linux/if_arp.h; what a TUN device is: packets without a link-layer header
PACKET_OUTGOING = 4  # linux/if_packet.h
PACKET_STATISTICS = 6  # linux/if_packet.h: how many packets, and how many of them did not fit
SOL_PACKET = 263  # linux/socket.h
ETHERNET_HEADER = 14
LARGEST = 1 << 18

_STATISTICS = struct.Struct("=II")


@dataclass(frozen=True)
class Seen:
    """One packet: when, in nanoseconds since the epoch; whether it left through the interface; its bytes."""

    at: int
    outgoing: bool
    protocol: int  # an EtherType, also where there is no Ethernet header
    frame: bytes
    packet: bytes  # the frame without its link-layer header


class Tap:
    """What crosses an interface from now on, until `close`."""

    def __init__(self, namespace: str, interface: str) -> None:
        """Raises OSError; ENODEV where there is no such interface."""
        with namespaces.inside(namespace):
            # Until it is bound it is for no protocol, and sees nothing.
            self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        self.close = self._socket.close
        try:
            self._socket.setblocking(False)
            stamps.ask_for_stamps(self._socket)
            self._socket.bind((interface, ETH_P_ALL))
        except BaseException:
            self.close()
            raise
        self.ethernet = self._socket.getsockname()[3] != ARPHRD_NONE

    def packets(self, stop: int) -> Iterator[Seen]:
        """Every packet as it comes, until the descriptor `stop` is readable, and with all that crossed by then.

        Raises KernelRefused where the interface goes down or away.
        """
        ready = select.poll()
        for descriptor in (stop, self._socket.fileno()):
            ready.register(descriptor, select.POLLIN)
        while stop not in dict(ready.poll()):
            if seen := self._next():
                yield seen
        until = time.time_ns()
        while (seen := self._next()) and seen.at <= until:
            yield seen

    def _next(self) -> Seen | None:
        with refused("there is nothing more to see", "labctl status shows what became of the interface"):
            try:
                frame, ancillary, _, (_, protocol, kind, _, _) = self._socket.recvmsg(LARGEST, stamps.SPACE)
            except BlockingIOError:
                return None
        packet = frame[ETHERNET_HEADER:] if self.ethernet else frame
        return Seen(stamps.stamp(ancillary), kind == PACKET_OUTGOING, protocol, frame, packet)

    def missed(self) -> int:
        """How many packets crossed while all the memory of this socket held others that nobody had fetched yet."""
        return int(_STATISTICS.unpack(self._socket.getsockopt(SOL_PACKET, PACKET_STATISTICS, _STATISTICS.size))[1])
