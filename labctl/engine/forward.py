"""From port to port, and every packet accounted for.

A packet read from one side is sent to the other or dropped for one reason, and `_settle` is the only
place that counts it: the two equations that `counters` promises hold by construction. No fault of a
packet or of the network raises. The one thing that ends forwarding is the TUN device's own end.

A connected UDP socket reports an ICMP error with the *next* call, whatever that call is: the packet at
hand has done nothing wrong and was not sent. So a failed send is tried once more, and a failed receive is
only a notice.
"""

import errno
from collections.abc import Callable

from labctl.engine import counters as count
from labctl.engine.packet import OwnDatagrams, fault
from labctl.engine.ports import Port, StrangerPort

# Packets that one side may move before the other gets its turn, so that a flood one way starves nobody.
BATCH = 64

# (route such as "tun0 > 10.0.2.1:9000", packet, name of the drop or None)
Watch = Callable[[str, bytes, str | None], None]

_NOTICES = {errno.ECONNREFUSED, errno.EHOSTUNREACH, errno.ENOPROTOOPT, errno.EACCES}
_GONE = {errno.EBADFD, errno.EFAULT, errno.ENODEV}
_SEND_DROPS = {
    errno.ECONNREFUSED: count.OUT_REFUSED,
    errno.ENETUNREACH: count.OUT_UNREACHABLE,
    errno.EHOSTUNREACH: count.OUT_UNREACHABLE,
    errno.EMSGSIZE: count.OUT_TOO_BIG,
    errno.EAGAIN: count.OUT_BUSY,
    errno.ENOBUFS: count.OUT_BUSY,
}
_WRITE_DROPS = {
    errno.EIO: count.IN_LINK_DOWN,
    errno.EBADFD: count.IN_LINK_DOWN,
    errno.EAGAIN: count.IN_BUSY,
    errno.ENOBUFS: count.IN_BUSY,
}


class DeviceGone(Exception):
    """The TUN device was deleted while we were attached to it."""


class Forwarder:
    """Moves packets between a TUN device and its peer, one per call of the kernel."""

    def __init__(
        self,
        tun: Port,
        peer: Port,
        strangers: StrangerPort,
        *,
        names: tuple[str, str],
        own: OwnDatagrams,
        counters: count.Counters,
        watch: Watch | None = None,
    ) -> None:
        self.tun = tun
        self.peer = peer
        self.strangers = strangers
        self._device = names[0]
        self._out = f"{names[0]} > {names[1]}"
        self._in = f"{names[1]} > {names[0]}"
        self._own = own
        self._cells = counters.cells
        self._watch = watch

    def outward(self) -> None:
        """Move at most a batch from the TUN device to the peer. Raises DeviceGone."""
        for _ in range(BATCH):
            try:
                packet = self.tun.receive()
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno in _GONE:
                    raise DeviceGone from error
                raise
            self._settle(self._out, packet, self._send(packet), count.TUN_READ, count.UDP_SENT)

    def inward(self) -> None:
        """Move at most a batch from the peer to the TUN device."""
        for _ in range(BATCH):
            try:
                datagram = self.peer.receive()
            except BlockingIOError:
                return
            except OSError:
                self._cells[count.ICMP_ERRORS] += 1
                continue
            self._settle(self._in, datagram, self._write(datagram), count.UDP_RECEIVED, count.TUN_WRITTEN)

    def turn_away(self) -> None:
        """Drop at most a batch of strangers' datagrams."""
        for _ in range(BATCH):
            try:
                datagram, sender = self.strangers.receive_from()
            except BlockingIOError:
                return
            route = f"{sender} > {self._device}"
            self._settle(route, datagram, count.IN_NOT_FROM_PEER, count.UDP_RECEIVED, count.TUN_WRITTEN)

    def _send(self, packet: bytes) -> int | None:
        """Send to the peer; returns the drop's counter if that cannot be."""
        if fault(packet):
            return count.OUT_MALFORMED
        if self._own.match(packet):
            return count.OUT_ROUTING_LOOP
        try:
            self.peer.send(packet)
            return None
        except OSError as error:
            if error.errno not in _NOTICES:
                return _SEND_DROPS.get(error.errno or 0, count.OUT_SEND_FAILED)
        try:
            self.peer.send(packet)
        except OSError as error:
            return _SEND_DROPS.get(error.errno or 0, count.OUT_SEND_FAILED)
        self._cells[count.ICMP_ERRORS] += 1
        return None

    def _write(self, datagram: bytes) -> int | None:
        """Write to the TUN device; returns the drop's counter if that cannot be."""
        if not datagram:
            return count.IN_EMPTY
        if fault(datagram):
            return count.IN_MALFORMED
        try:
            self.tun.send(datagram)
        except OSError as error:
            return _WRITE_DROPS.get(error.errno or 0, count.IN_TUN_REJECTED)
        return None

    def _settle(self, route: str, packet: bytes, drop: int | None, arrived: int, departed: int) -> None:
        """Count a packet: once where it came in, and once where it went or why it did not."""
        cells, size = self._cells, len(packet)
        cells[arrived] += 1
        cells[arrived + 1] += size
        if drop is None:
            cells[departed] += 1
            cells[departed + 1] += size
        else:
            cells[drop] += 1
        if self._watch:
            self._watch(route, packet, None if drop is None else count.NAMES[drop])
