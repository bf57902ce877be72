"""Looking at the packets of an interface, as packet(7) lets one: copies, with the moment in which the kernel saw them.

A superframe that the kernel has not cut yet is seen whole, as tcpdump would show it. The outermost VLAN tag of what
arrives is no longer in the frame (net/core/skbuff.c: skb_vlan_untag): it is told beside it, and put back here.
"""

from __future__ import annotations

import select
import socket
import struct
import time
from collections.abc import Iterator
from dataclasses import dataclass

from labctl.errors import kernel_errors_as
from labctl.kernel import namespaces, timestamps

ETH_P_ALL = 0x0003  # linux/if_ether.h
ARPHRD_NONE = 0xFFFE  # linux/if_arp.h; what a TUN device is: packets without a link-layer header
PACKET_OUTGOING = 4  # linux/if_packet.h
PACKET_STATISTICS = 6  # linux/if_packet.h: how many packets, and how many of them did not fit
PACKET_AUXDATA = 8  # linux/if_packet.h: what the kernel knows of a packet beside its bytes
TP_STATUS_VLAN_VALID, TP_STATUS_VLAN_TPID_VALID = 1 << 4, 1 << 6  # linux/if_packet.h
ETH_P_8021Q, ETH_P_8021AD = 0x8100, 0x88A8  # linux/if_ether.h: the tags of a VLAN, and of a VLAN of VLANs
VLAN_VID_MASK = 0x0FFF  # linux/if_vlan.h
SOL_PACKET = 263  # linux/socket.h
ADDRESSES = 12  # bytes before the EtherType, or before the first VLAN tag
LARGEST = 1 << 18

_STATISTICS = struct.Struct("=II")
_AUXDATA = struct.Struct("=IIIHHHH")  # struct tpacket_auxdata: status, two lengths, two offsets, TCI, TPID
_TAG = struct.Struct("!HH")  # TPID, TCI (IEEE 802.1Q)
_ANCILLARY = timestamps.SPACE + socket.CMSG_SPACE(_AUXDATA.size)


@dataclass(frozen=True)
class Seen:
    """One packet: when, in nanoseconds since the epoch; whether it left through the interface; its bytes."""

    at: int
    outgoing: bool
    vlans: tuple[int, ...]  # the VLAN of each tag, the outermost first
    protocol: int  # an EtherType, also where there is no Ethernet header
    packet: bytes  # the frame without its link-layer header
    frame: bytes


class PacketCapture:
    """What crosses an interface from now on, until `close`."""

    def __init__(self, namespace: str, interface: str) -> None:
        """Raise OSError; ENODEV where there is no such interface."""
        with namespaces.inside(namespace):
            # Until it is bound it is for no protocol, and sees nothing.
            self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        self.close = self._socket.close
        try:
            self._socket.setblocking(False)
            timestamps.ask_for_stamps(self._socket)
            self._socket.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
            self._socket.bind((interface, ETH_P_ALL))
        except BaseException:
            self.close()
            raise
        self.ethernet = self._socket.getsockname()[3] != ARPHRD_NONE

    def packets(self, stop: int) -> Iterator[Seen]:
        """Yield every packet as it comes, until the descriptor `stop` is readable, and with all that crossed by then.

        Raise KernelRefused where the interface goes down or away.
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
        with kernel_errors_as("there is nothing more to see", "labctl status shows what became of the interface"):
            try:
                frame, ancillary, _, (_, protocol, kind, _, _) = self._socket.recvmsg(LARGEST, _ANCILLARY)
            except BlockingIOError:
                return None
        at, outgoing = timestamps.stamp(ancillary), kind == PACKET_OUTGOING
        if not self.ethernet:
            return Seen(at, outgoing, (), protocol, frame, frame)
        (auxdata,) = (data for level, what, data in ancillary if (level, what) == (SOL_PACKET, PACKET_AUXDATA))
        frame = _with_tag(frame, auxdata)
        return Seen(at, outgoing, *_read(frame), frame)

    def missed(self) -> int:
        """Return how many packets crossed while the memory of this socket was full of others, and were not kept."""
        return int(_STATISTICS.unpack(self._socket.getsockopt(SOL_PACKET, PACKET_STATISTICS, _STATISTICS.size))[1])


def _with_tag(frame: bytes, auxdata: bytes) -> bytes:
    """Return a frame with the VLAN tag that the kernel took out of it, if it did."""
    status, _, _, _, _, tci, tpid = _AUXDATA.unpack(auxdata)
    if not status & TP_STATUS_VLAN_VALID:
        return frame
    tag = _TAG.pack(tpid if status & TP_STATUS_VLAN_TPID_VALID else ETH_P_8021Q, tci)
    return frame[:ADDRESSES] + tag + frame[ADDRESSES:]


def _read(frame: bytes) -> tuple[tuple[int, ...], int, bytes]:
    """Return the VLANs of an Ethernet frame, the EtherType behind their tags, and the packet behind that."""
    vlans: tuple[int, ...] = ()
    at = ADDRESSES
    while (kind := int.from_bytes(frame[at : at + 2])) in (ETH_P_8021Q, ETH_P_8021AD):
        vlans += (int.from_bytes(frame[at + 2 : at + 4]) & VLAN_VID_MASK,)
        at += _TAG.size
    return vlans, kind, frame[at + 2 :]
