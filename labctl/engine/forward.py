"""From port to port, and every packet accounted for.

A packet read from one side is sent to the other or dropped for one reason. It is counted when it comes and
when it leaves or ends: so the two equations that `counters` promises hold. No fault of a packet or of the
network raises. The one thing that ends forwarding is the TUN device's own end.

Ports move `Train`s, and a packet that comes alone as it is. That one has the shortest way: after a pause all
memory is slow, so it waits less for what is done than for how much is touched. A train is sent as few pieces,
and a piece that is refused for what it is, not for where it goes, is sent again packet by packet: an offload
that fails costs time and no packet.

Between coming and leaving, `leave` and `enter` take a train whenever they are given one. That is the place
for whatever holds packets back, loses them or changes them (`impaired`): there is one for each
direction; it takes a train's packets and hands over those that go on, as trains of one, when their time has
come.

A connected UDP socket reports an ICMP error with the *next* call, whatever that call is: the packet at hand
has done nothing wrong and was not sent. So a failed send is tried once more, and a failed receive is only a
notice.
"""

from __future__ import annotations

import errno
from collections.abc import Callable
from contextlib import suppress
from functools import partial

from labctl.engine import counters as count
from labctl.engine import impairment_stage
from labctl.engine.impairment_stage import Impaired
from labctl.engine.packets import ecn, too_big
from labctl.engine.packets.ip import fault
from labctl.engine.packets.routing_loop import OwnDatagrams, to_inspect
from labctl.engine.packets.train import Bytes, Train
from labctl.engine.ports import PeerPort, Port, StrangerPort

# (route such as "tun0 > 10.0.2.1:9000", packet, name of the drop or None)
Watch = Callable[[str, bytes, str | None], None]

# Calls that take what waits at an address before it is left; more would be a flood.
_MOST_LEFT = 1000
_NOTICES = {errno.ECONNREFUSED, errno.EHOSTUNREACH, errno.ENOPROTOOPT, errno.EACCES, errno.EMSGSIZE}
_GONE = {errno.EBADFD, errno.EFAULT, errno.ENODEV}
_SEND_DROPS = {
    errno.ECONNREFUSED: count.OUT_REFUSED,
    errno.ENETUNREACH: count.OUT_UNREACHABLE,
    errno.EHOSTUNREACH: count.OUT_UNREACHABLE,
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
    """Moves packets between a TUN device and its peer."""

    def __init__(
        self,
        tun: Port,
        peer: PeerPort,
        strangers: StrangerPort,
        *,
        names: tuple[str, str],
        own: OwnDatagrams,
        counters: count.Counters,
        watch: Watch | None = None,
        answer_too_big: bool = False,
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
        self._answer_too_big = answer_too_big
        self.outgoing = Impaired("out", self._cells, impairment_stage.OUT, self.leave, partial(self._drop, self._out))
        self.incoming = Impaired("in", self._cells, impairment_stage.IN, self.enter, partial(self._drop, self._in))

    @property
    def stages(self) -> dict[str, Impaired]:
        """What impairs, by direction."""
        return {"out": self.outgoing, "in": self.incoming}

    @property
    def holds(self) -> bool:
        """Whether an impairment may be holding packets back."""
        return not (self.outgoing.is_idle and self.incoming.is_idle)

    def release(self) -> None:
        """Pass on what an impairment held until now."""
        for stage in (self.outgoing, self.incoming):
            stage.release()

    def next_due(self) -> float | None:
        """When `release` will next have something to do, in seconds of time.monotonic; None where nothing is held."""
        times = [due for stage in (self.outgoing, self.incoming) if (due := stage.next_due()) is not None]
        return min(times, default=None)

    def tun_to_peer(self) -> None:
        """Move to the peer what one call takes from the TUN device. Raises DeviceGone."""
        try:
            came = self.tun.receive()
        except BlockingIOError:
            return
        except OSError as error:
            if error.errno in _GONE:
                raise DeviceGone from error
            raise
        if isinstance(came, list):
            for train in came:
                self._take_out(train)
        elif self._watch or not self.outgoing.is_idle or self._unfit(came):
            self._take_out(Train.of(came))
        else:
            self._alone_out(came)

    def peer_to_tun(self) -> bool:
        """Move to the TUN device what one call takes from the peer; return whether anything waited."""
        try:
            came = self.peer.receive()
        except BlockingIOError:
            return False
        except OSError:
            self._cells[count.ICMP_ERRORS] += 1
            return True
        if isinstance(came, list):
            for train in came:
                self._take_in(train)
        elif self._watch or not self.incoming.is_idle or fault(came):
            self._take_in(Train.of(came))
        else:
            self._alone_in(came)
        return True

    def drop_stranger(self) -> None:
        """Drop a stranger's datagram; answer the peer, if it is the peer's, from where it was addressed."""
        try:
            datagram, sender, addressed = self.strangers.receive_from()
        except BlockingIOError:
            return
        train = Train.of(datagram)
        if addressed:
            self._leave_from(addressed)
            self._take_in(train)
        else:
            self._arrived(train, count.UDP_RECEIVED)
            self._drop(f"{sender} > {self._device}", train, count.IN_NOT_FROM_PEER)

    def reconsider(self) -> None:
        """Look again at what was chosen by links, addresses and routes: some have changed."""
        for port in (self.tun, self.peer):
            port.reconsider()
        if successor := self.peer.successor():
            self._leave_from(successor)

    def _leave_from(self, host: str) -> None:
        """Leave from another address of ours, if that can be. What came to the one before goes first."""
        if host == self.peer.source().host:
            return
        for _ in range(_MOST_LEFT):
            if not self.peer_to_tun():
                break
        with suppress(OSError):
            self.peer.leave_from(host)
            self._own = self._own.leaving_from(self.peer.source())

    def _take_out(self, train: Train) -> None:
        self._cells[count.TUN_READ_FRAMES] += train.parts
        self._arrived(train, count.TUN_READ)
        self.outgoing.take(train)

    def _take_in(self, train: Train) -> None:
        self._arrived(train, count.UDP_RECEIVED)
        if ecn.changes(train.ecn):
            self._take_marked(train)
        else:
            self.incoming.take(train)

    def _take_marked(self, train: Train) -> None:
        """Hand on to packets what the network marked their datagrams with. A train stays one if it can."""
        fit = [ecn.hand_on(memoryview(packet), train.ecn) for packet in train.packets()]
        if all(fit):
            self.incoming.take(train)
            return
        for single, fits in zip(train.singles(), fit, strict=True):
            if fits:
                self.incoming.take(single)
            else:
                self._drop(self._in, single, count.IN_NOT_ECN_CAPABLE)

    def _alone_out(self, packet: Bytes) -> None:
        """Send a packet that nothing holds up."""
        try:
            self.peer.send_lone(packet)
        except OSError as error:
            self._cells[count.TUN_READ_FRAMES] += 1
            self._arrived(train := Train.of(packet), count.TUN_READ)
            self._refused(train, error)
        else:
            self._passed(len(packet), count.TUN_READ_FRAMES, count.TUN_READ, count.UDP_SENT)

    def _alone_in(self, packet: Bytes) -> None:
        """Write a packet that nothing holds up."""
        try:
            self.tun.send_lone(packet)
        except OSError as error:
            self._arrived(train := Train.of(packet), count.UDP_RECEIVED)
            self._rejected(train, error)
        else:
            self._passed(len(packet), count.TUN_WRITTEN_FRAMES, count.UDP_RECEIVED, count.TUN_WRITTEN)

    def leave(self, train: Train) -> None:
        """Send packets of the TUN device to the peer."""
        if train.number == 1:
            if drop := self._unfit(train.data):
                self._drop(self._out, train, drop)
            else:
                self._send(train)
            return
        if not any(map(self._unfit, to_inspect(train))):
            for piece in self.peer.pieces(train):
                self._send(piece)
            return
        for single in train.singles():
            self.leave(single)

    def enter(self, train: Train) -> None:
        """Write packets of the peer to the TUN device."""
        for piece in self.tun.pieces(train):
            # To be one piece of many, packets were inspected more closely than this.
            if piece.number == 1 and fault(piece.data):
                self._drop(self._in, piece, count.IN_MALFORMED if piece.data else count.IN_EMPTY)
            else:
                self._write(piece)

    def _unfit(self, packet: Bytes) -> int | None:
        """The drop's counter if this packet must not leave."""
        if fault(packet):
            return count.OUT_MALFORMED
        return count.OUT_ROUTING_LOOP if self._own.match(packet) else None

    def _send(self, piece: Train) -> None:
        try:
            self.peer.send(piece)
        except OSError as error:
            self._refused(piece, error)
        else:
            self._settle(piece, self._out, count.UDP_SENT)

    def _refused(self, piece: Train, error: OSError) -> None:
        """Do what is right with a piece that could not be sent: after a notice, send it once more."""
        if error.errno in _NOTICES:
            try:
                self.peer.send(piece)
            except OSError as again:
                error = again
            else:
                self._cells[count.ICMP_ERRORS] += 1
                self._settle(piece, self._out, count.UDP_SENT)
                return
        code = error.errno or errno.EIO
        if piece.number > 1 and code not in _SEND_DROPS:
            for single in piece.singles():
                self._send(single)
        elif code == errno.EMSGSIZE and self._answer_too_big:
            self._too_big(piece)
        else:
            oversize = count.OUT_TOO_BIG if code == errno.EMSGSIZE else count.OUT_SEND_FAILED
            self._drop(self._out, piece, _SEND_DROPS.get(code, oversize))

    def _too_big(self, single: Train) -> None:
        """Do with a packet that the path does not take whole what a router does."""
        if too_big.may_fragment(single.data):
            try:
                self.peer.send_in_fragments(single)
            except OSError as error:
                self._drop(self._out, single, _SEND_DROPS.get(error.errno or 0, count.OUT_TOO_BIG))
            else:
                self._settle(single, self._out, count.UDP_SENT)
            return
        self._drop(self._out, single, count.OUT_TOO_BIG)
        if answer := too_big.answer(single.data, self.peer.mtu()):
            try:
                self.tun.send(Train.of(answer))
            except OSError:
                return
            self._cells[count.TOO_BIG_ANSWERS] += 1
            self._cells[count.TUN_WRITTEN_FRAMES] += 1
            if self._watch:
                self._watch(f"ttun > {self._device}", answer, None)

    def _write(self, piece: Train) -> None:
        try:
            self.tun.send(piece)
        except OSError as error:
            self._rejected(piece, error)
        else:
            self._cells[count.TUN_WRITTEN_FRAMES] += 1
            self._settle(piece, self._in, count.TUN_WRITTEN)

    def _rejected(self, piece: Train, error: OSError) -> None:
        """Do what is right with a piece that the TUN device did not take."""
        drop = _WRITE_DROPS.get(error.errno or 0)
        if drop is None and piece.number > 1:
            for single in piece.singles():
                self._write(single)
        else:
            self._drop(self._in, piece, drop or count.IN_TUN_REJECTED)

    def _arrived(self, train: Train, cell: int) -> None:
        self._cells[cell] += train.number
        self._cells[cell + 1] += len(train.data)

    def _passed(self, size: int, frames: int, came: int, went: int) -> None:
        """Count a lone packet, which came and went, once it is gone: it is not to wait for that."""
        cells = self._cells
        cells[frames] += 1
        for cell in (came, went):
            cells[cell] += 1
            cells[cell + 1] += size

    def _drop(self, route: str, train: Train, drop: int) -> None:
        self._cells[drop] += train.number
        self._tell(train, route, count.NAMES[drop])

    def _settle(self, train: Train, route: str, cell: int) -> None:
        self._cells[cell] += train.number
        self._cells[cell + 1] += len(train.data)
        self._tell(train, route, None)

    def _tell(self, train: Train, route: str, drop: str | None) -> None:
        if self._watch:
            for packet in train.packets():
                self._watch(route, bytes(packet), drop)
