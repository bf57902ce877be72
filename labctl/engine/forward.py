"""From port to port: the way of a packet, from top to bottom, out to the peer and then in from it.

    out   tun_to_peer   _take_out   stage_out   send_out   _send_piece_out   (_refused_out)
    in    peer_to_tun   _take_in    stage_in    send_in    _send_piece_in    (_refused_in)

A packet read from one side is sent to the other or dropped for one reason, and accounted for (`accounting`). No fault
of a packet or of the network raises. The one thing that ends forwarding is the deletion of the TUN device.

Ports hand over `Train`s, and a packet that comes alone as it is. That one takes the shortest way (`_send_lone_out`,
`_send_lone_in`): after a pause all memory is slow, so it waits less for what is done than for how much is touched. A
train is sent as few pieces. A piece that is refused for what it is, not for where it goes, is sent again packet by
packet: an offload that fails costs time and no packet.

Between taking and sending stands an `ImpairmentStage` for each direction, which may hold packets back, lose, copy or
change them.

A connected UDP socket reports an ICMP error with the *next* call, whatever that call is (udp(7)): the packet at hand
caused no error and was not sent. So a failed send is tried once more, and a failed receive is only a notice.
"""

from __future__ import annotations

import errno
from contextlib import suppress

from labctl.engine import counters as count
from labctl.engine.accounting import IN, IN_BY_ERRNO, OUT, OUT_BY_ERRNO, Account, Watch
from labctl.engine.impairment_stage import ImpairmentStage, Stages
from labctl.engine.packets import ecn, too_big
from labctl.engine.packets.ip import fault
from labctl.engine.packets.routing_loop import OwnDatagrams, to_inspect
from labctl.engine.packets.train import Bytes, Train
from labctl.engine.ports import PeerPort, Port, StrangerPort

# Reads of what waits at a local address before it is left; more would be a flood.
_MOST_WAITING = 1000
_NOTICES = {errno.ECONNREFUSED, errno.EHOSTUNREACH, errno.ENOPROTOOPT, errno.EACCES, errno.EMSGSIZE}
_GONE = {errno.EBADFD, errno.EFAULT, errno.ENODEV}


class DeviceGone(Exception):
    """The TUN device was deleted while we were attached to it."""


class Forwarder:
    """Moves packets between a TUN device and its peer, whose `names` are for those who watch."""

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
        self.tun, self.peer, self.strangers = tun, peer, strangers
        self._device, remote = names
        self._own = own
        self._watch = watch
        self._answer_too_big = answer_too_big
        self._out = Account(counters, OUT, f"{self._device} > {remote}", watch)
        self._in = Account(counters, IN, f"{remote} > {self._device}", watch)
        self.stage_out = ImpairmentStage("out", self._out, self.send_out)
        self.stage_in = ImpairmentStage("in", self._in, self.send_in)
        self.stages = Stages({"out": self.stage_out, "in": self.stage_in})

    @property
    def common(self) -> tuple[bool, bool]:
        """For out and in, whether packets are only to be forwarded: none is watched, and none impaired."""
        unwatched = self._watch is None
        return unwatched and self.stage_out.is_idle, unwatched and self.stage_in.is_idle

    # Out: from the TUN device to the peer.

    def tun_to_peer(self) -> None:
        """Move to the peer what one call reads from the TUN device. Raise DeviceGone if that was deleted."""
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
        elif self._watch or not self.stage_out.is_idle or self._unfit_out(came):
            self._take_out(Train.of(came))
        else:
            self._send_lone_out(came)

    def _take_out(self, train: Train) -> None:
        self._out.add(count.TUN_READ_FRAMES, train.parts)
        self._out.came(train)
        self.stage_out.take(train)

    def _unfit_out(self, packet: Bytes) -> int | None:
        """Return the drop's counter if this packet must not be sent."""
        if fault(packet):
            return count.OUT_MALFORMED
        return count.OUT_ROUTING_LOOP if self._own.match(packet) else None

    def _send_lone_out(self, packet: Bytes) -> None:
        try:
            self.peer.send_lone(packet)
        except OSError as error:
            self._out.add(count.TUN_READ_FRAMES, 1)
            self._out.came(train := Train.of(packet))
            self._refused_out(train, error)
        else:
            self._out.passed(len(packet))

    def send_out(self, train: Train) -> None:
        """Send packets of the TUN device to the peer."""
        if train.number == 1:
            if drop := self._unfit_out(train.data):
                self._out.dropped(train, drop)
            else:
                self._send_piece_out(train)
        elif any(map(self._unfit_out, to_inspect(train))):
            for single in train.singles():
                self.send_out(single)
        else:
            for piece in self.peer.pieces(train):
                self._send_piece_out(piece)

    def _send_piece_out(self, piece: Train) -> None:
        try:
            self.peer.send(piece)
        except OSError as error:
            self._refused_out(piece, error)
        else:
            self._out.left(piece)

    def _refused_out(self, piece: Train, error: OSError) -> None:
        """Send a piece once more after a notice, or its packets one by one; drop what is refused for good."""
        if error.errno in _NOTICES:
            try:
                self.peer.send(piece)
            except OSError as again:
                error = again
            else:
                self._out.add(count.ICMP_ERRORS, 1)
                self._out.left(piece)
                return
        code = error.errno or errno.EIO
        if piece.number > 1 and code not in OUT_BY_ERRNO:
            for single in piece.singles():
                self._send_piece_out(single)
        elif code == errno.EMSGSIZE and self._answer_too_big:
            self._refused_too_big(piece)
        else:
            otherwise = count.OUT_TOO_BIG if code == errno.EMSGSIZE else count.OUT_SEND_FAILED
            self._out.dropped(piece, OUT_BY_ERRNO.get(code, otherwise))

    def _refused_too_big(self, single: Train) -> None:
        """Do what a router does with a packet over the path's MTU: send it in fragments, or answer it with ICMP."""
        if too_big.may_fragment(single.data):
            try:
                self.peer.send_in_fragments(single)
            except OSError as error:
                self._out.dropped(single, OUT_BY_ERRNO.get(error.errno or 0, count.OUT_TOO_BIG))
            else:
                self._out.left(single)
            return
        self._out.dropped(single, count.OUT_TOO_BIG)
        if answer := too_big.answer(single.data, self.peer.mtu()):
            try:
                self.tun.send(Train.of(answer))
            except OSError:
                return
            self._in.add(count.TOO_BIG_ANSWERS, 1)
            self._in.add(count.TUN_WRITTEN_FRAMES, 1)
            if self._watch:
                self._watch(f"ttun > {self._device}", answer, None)

    # In: from the peer to the TUN device.

    def peer_to_tun(self) -> bool:
        """Move to the TUN device what one call receives from the peer; return whether anything waited."""
        try:
            came = self.peer.receive()
        except BlockingIOError:
            return False
        except OSError:
            self._in.add(count.ICMP_ERRORS, 1)
            return True
        if isinstance(came, list):
            for train in came:
                self._take_in(train)
        elif self._watch or not self.stage_in.is_idle or self._unfit_in(came):
            self._take_in(Train.of(came))
        else:
            self._send_lone_in(came)
        return True

    def _take_in(self, train: Train) -> None:
        self._in.came(train)
        if ecn.changes(train.ecn):
            self._take_marked_in(train)
        else:
            self.stage_in.take(train)

    def _take_marked_in(self, train: Train) -> None:
        """Take packets whose datagrams the network marked, and hand the mark on. A train stays one if it can."""
        fit = [ecn.hand_on(memoryview(packet), train.ecn) for packet in train.packets()]
        if all(fit):
            self.stage_in.take(train)
            return
        for single, fits in zip(train.singles(), fit, strict=True):
            if fits:
                self.stage_in.take(single)
            else:
                self._in.dropped(single, count.IN_NOT_ECN_CAPABLE)

    def _unfit_in(self, packet: Bytes) -> int | None:
        """Return the drop's counter if this packet must not be written."""
        if fault(packet):
            return count.IN_MALFORMED if packet else count.IN_EMPTY
        return None

    def _send_lone_in(self, packet: Bytes) -> None:
        try:
            self.tun.send_lone(packet)
        except OSError as error:
            self._in.came(train := Train.of(packet))
            self._refused_in(train, error)
        else:
            self._in.passed(len(packet))

    def send_in(self, train: Train) -> None:
        """Write packets of the peer to the TUN device."""
        for piece in self.tun.pieces(train):
            # To be one piece of many, packets were inspected more closely than this.
            if piece.number == 1 and (drop := self._unfit_in(piece.data)):
                self._in.dropped(piece, drop)
            else:
                self._send_piece_in(piece)

    def _send_piece_in(self, piece: Train) -> None:
        try:
            self.tun.send(piece)
        except OSError as error:
            self._refused_in(piece, error)
        else:
            self._in.add(count.TUN_WRITTEN_FRAMES, 1)
            self._in.left(piece)

    def _refused_in(self, piece: Train, error: OSError) -> None:
        """Write the packets of a piece one by one, or drop what is refused for good."""
        drop = IN_BY_ERRNO.get(error.errno or 0)
        if drop is None and piece.number > 1:
            for single in piece.singles():
                self._send_piece_in(single)
        else:
            self._in.dropped(piece, drop or count.IN_TUN_REJECTED)

    # Neither: what is not the peer's, and what changes.

    def drop_stranger(self) -> None:
        """Drop a datagram that is not the peer's; take the peer's, and answer from where it was addressed to."""
        try:
            datagram, sender, addressed = self.strangers.receive_from()
        except BlockingIOError:
            return
        train = Train.of(datagram)
        if addressed:
            self._send_from(addressed)
            self._take_in(train)
        else:
            self._in.came_from_stranger(train, f"{sender} > {self._device}")

    def reconsider(self) -> None:
        """Choose again what depends on links, addresses and routes: some have changed."""
        for port in (self.tun, self.peer):
            port.reconsider()
        if successor := self.peer.successor():
            self._send_from(successor)

    def _send_from(self, host: str) -> None:
        """Send from another local address from now on, if that is possible. What waits at the one before goes first."""
        if host == self.peer.source().host:
            return
        for _ in range(_MOST_WAITING):
            if not self.peer_to_tun():
                break
        with suppress(OSError):
            self.peer.leave_from(host)
            self._own = self._own.leaving_from(self.peer.source())
