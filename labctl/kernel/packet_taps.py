"""Looking at packets where they cross an interface, as packet(7) lets one: copies, with the moment of each.

A tap is an AF_PACKET socket. One that is bound to no interface sees those of all interfaces of its namespace, and costs
a fraction of a socket for each of them. The kernel stamps a packet with one clock in all namespaces, so what several
taps saw is put in order by time.

A superframe that the kernel has not cut yet is seen whole, as tcpdump would show it, and its checksums may still be
those that a device is to complete. The outermost VLAN tag of what arrives is no longer in the frame
(net/core/skbuff.c: skb_vlan_untag): it is told beside it, and put back here.
"""

from __future__ import annotations

import ctypes
import select
import socket
import struct
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from enum import IntEnum
from itertools import chain
from operator import attrgetter

from labctl.errors import kernel_errors_as
from labctl.kernel import namespaces, timestamps
from labctl.process.syscalls import bind
from labctl.topology.interface_ref import InterfaceRef

ETH_P_ALL = 0x0003  # linux/if_ether.h
ARPHRD_ETHER, ARPHRD_LOOPBACK = 1, 772  # linux/if_arp.h: devices whose frames begin with an Ethernet header
PACKET_STATISTICS = 6  # linux/if_packet.h: how many packets, and how many of them did not fit
PACKET_AUXDATA = 8  # linux/if_packet.h: what the kernel knows of a packet beside its bytes
SO_ATTACH_FILTER, SO_RCVBUFFORCE = 26, 33  # asm-generic/socket.h
TP_STATUS_VLAN_VALID, TP_STATUS_VLAN_TPID_VALID = 1 << 4, 1 << 6  # linux/if_packet.h
ETH_P_8021Q = 0x8100  # linux/if_ether.h
SOL_PACKET = 263  # linux/socket.h
ADDRESSES = 12  # bytes before the EtherType, or before the first VLAN tag
LARGEST = 1 << 18  # bytes that a packet has at most
MEMORY = 32 << 20  # bytes that a tap keeps of packets that were not read yet

_STATISTICS = struct.Struct("=II")
_AUXDATA = struct.Struct("=IIIHHHH")  # struct tpacket_auxdata: status, two lengths, two offsets, TCI, TPID
_TAG = struct.Struct("!HH")  # TPID, TCI (IEEE 802.1Q)
_ANCILLARY = timestamps.SPACE + socket.CMSG_SPACE(_AUXDATA.size)
_RETURN = 0x06  # linux/bpf_common.h: BPF_RET|BPF_K
EVERYTHING, NOTHING = (struct.pack("=HBBI", _RETURN, 0, 0, kept) for kept in (0xFFFFFFFF, 0))
"""Filters that accept every packet, and none."""

_EVERY_INTERFACE = struct.pack("=HHiHBB8s", socket.AF_PACKET, socket.htons(ETH_P_ALL), 0, 0, 0, 0, b"")  # sockaddr_ll


class PacketType(IntEnum):
    """Whose a packet is to the interface that sees it (linux/if_packet.h)."""

    HOST = 0
    BROADCAST = 1
    MULTICAST = 2
    OTHERHOST = 3  # for another link-layer address
    OUTGOING = 4


@dataclass(frozen=True, slots=True)
class Seen:
    """A packet at an interface: when, in nanoseconds since the epoch; where; which way; its bytes."""

    at: int
    namespace: str
    interface: str  # empty where it has gone meanwhile
    kind: PacketType
    ethernet: bool  # whether the frame begins with an Ethernet header, and not with an IP header
    length: int  # in bytes, of the whole frame
    frame: bytes

    @property
    def outgoing(self) -> bool:
        """Return whether it left through the interface."""
        return self.kind is PacketType.OUTGOING

    @property
    def ref(self) -> InterfaceRef:
        """Return the interface by its full name."""
        return InterfaceRef(self.namespace, self.interface)


class PacketTaps:
    """What crosses the interfaces of some namespaces from now on, until `close`."""

    def __init__(
        self,
        namespaces: Iterable[str] = (),
        interfaces: Iterable[InterfaceRef] = (),
        program: bytes = b"",
        memory: int = MEMORY,
    ) -> None:
        """Tap whole namespaces, and single interfaces. `program` is a classic BPF filter: struct sock_filter[].

        Each keeps `memory` bytes of packets that were not read yet; the kernel counts them with what is around them.

        Raise OSError with the name of what cannot be tapped, ENODEV where there is no such interface; UsageError where
        a namespace is gone.
        """
        self._taps: list[_Tap] = []
        try:
            for ref in (*(InterfaceRef(name, "") for name in namespaces), *interfaces):
                self._taps.append(_Tap(ref, program, memory))
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """See no more. Each waits until no CPU delivers to it any more (synchronize_net()), so they wait together."""
        closing = [threading.Thread(target=tap.close) for tap in self._taps[1:]]
        for thread in closing:
            thread.start()
        for tap in self._taps[:1]:
            tap.close()
        for thread in closing:
            thread.join()

    def __enter__(self) -> PacketTaps:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def wait(self, seconds: float, stop: int | None = None) -> bool:
        """Wait until there is something to see, so many seconds have passed, or the descriptor `stop` is readable.

        Return whether it is.
        """
        ready = select.poll()
        for descriptor in (stop, *(tap.fileno() for tap in self._taps)):
            if descriptor is not None:
                ready.register(descriptor, select.POLLIN)
        return stop in dict(ready.poll(seconds * 1000))

    def show(self, program: bytes) -> None:
        """See from now on only what another filter accepts."""
        for tap in self._taps:
            tap.show(program)

    def some(self) -> list[Seen]:
        """Return packets that were not read yet, in order: not more than come while they are read.

        Raise KernelRefused where a single interface that is tapped has gone down or away.
        """
        return _in_order(seen for tap in self._taps for seen in tap.some())

    def portion(self) -> tuple[list[Seen], int]:
        """Return packets as `some` does, and a moment: what crossed before it is among those that were returned."""
        moment = time.time_ns()
        found = [list(tap.some()) for tap in self._taps]
        left = (packets[-1].at for packets in found if len(packets) == _Tap.SOME)
        return _in_order(chain.from_iterable(found)), min((moment, *left))

    def crossed(self) -> list[Seen]:
        """Return all that has crossed by now and was not read yet, in order. Raise KernelRefused as `some` does."""
        until = time.time_ns()
        return _in_order(seen for tap in self._taps for seen in tap.until(until))

    def missed(self) -> int:
        """Return how many packets crossed while the memory of a tap was full of others, and were not kept."""
        return sum(tap.missed() for tap in self._taps)


def _in_order(packets: Iterable[Seen]) -> list[Seen]:
    return sorted(packets, key=attrgetter("at"))


class _Tap:
    """One socket: of an interface, or of a namespace where the reference names none."""

    SOME = 64  # packets that are read from one socket before the next has its turn

    def __init__(self, ref: InterfaceRef, program: bytes, memory: int) -> None:
        self._namespace = ref.namespace
        self._missed = 0
        self._later: Seen | None = None  # read already, and not wanted yet
        with namespaces.inside(ref.namespace):
            # Until it is bound it is for no protocol, and sees nothing.
            self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        self.close, self.fileno = self._socket.close, self._socket.fileno
        try:
            self._socket.setblocking(False)
            timestamps.ask_for_stamps(self._socket)
            self._socket.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, memory)
            with suppress(PermissionError):  # then it is as large as the machine lets everyone have it
                self._socket.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, memory)
            if program:
                attach(self._socket, program)
            if ref.interface:
                self._socket.bind((ref.interface, ETH_P_ALL))
            else:
                bind(self._socket.fileno(), _EVERY_INTERFACE)
        except OSError as error:
            self.close()
            raise OSError(error.errno, error.strerror, str(ref)) from None

    def show(self, program: bytes) -> None:
        attach(self._socket, program)

    def some(self) -> Iterator[Seen]:
        for _ in range(self.SOME):
            if not (seen := self._next()):
                return
            yield seen

    def until(self, moment: int) -> Iterator[Seen]:
        # A packet from before the kernel began to stamp has the time when it is read, and says nothing of the next one.
        begun = time.time_ns()
        while seen := self._next():
            if moment < seen.at < begun:
                self._later = seen
                return
            yield seen
            begun = time.time_ns()

    def _next(self) -> Seen | None:
        if seen := self._later:
            self._later = None
            return seen
        with kernel_errors_as("there is nothing more to see", "labctl status shows what became of the interface"):
            try:
                frame, ancillary, _, address = self._socket.recvmsg(LARGEST, _ANCILLARY)
            except BlockingIOError:
                return None
        interface, _, kind, hardware, _ = address
        (auxdata,) = (data for level, what, data in ancillary if (level, what) == (SOL_PACKET, PACKET_AUXDATA))
        status, length, _, _, _, tci, tpid = _AUXDATA.unpack(auxdata)
        if status & TP_STATUS_VLAN_VALID:
            tag = _TAG.pack(tpid if status & TP_STATUS_VLAN_TPID_VALID else ETH_P_8021Q, tci)
            frame, length = frame[:ADDRESSES] + tag + frame[ADDRESSES:], length + _TAG.size
        at, ethernet = timestamps.stamp(ancillary), hardware in (ARPHRD_ETHER, ARPHRD_LOOPBACK)
        return Seen(at, self._namespace, interface, PacketType(kind), ethernet, length, frame)

    def missed(self) -> int:
        """Return how many packets were not kept. The kernel counts them from look to look."""
        found = self._socket.getsockopt(SOL_PACKET, PACKET_STATISTICS, _STATISTICS.size)
        self._missed += _STATISTICS.unpack(found)[1]
        return self._missed


def attach(connection: socket.socket, program: bytes) -> None:
    """Have the kernel show a socket only what a classic BPF program accepts. Raise OSError."""
    held = ctypes.create_string_buffer(program, len(program))
    fprog = struct.pack("@HP", len(program) // 8, ctypes.addressof(held))  # struct sock_fprog
    connection.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, fprog)
