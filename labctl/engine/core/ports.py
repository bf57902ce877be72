"""The ports of an endpoint with the core in C: each first hands over what the core left, then goes on as ever.

To the forwarder a packet that the core received and left is one that comes now, and a send that the core was refused
is one that is refused now. So Python's own handling of both is all there is.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator, Sequence
from typing import Any, cast

from labctl.engine.core.library import LeftIn, LeftOut
from labctl.engine.features import Feature
from labctl.engine.packets.train import Bytes, Train
from labctl.engine.tun.offload import OffloadTun
from labctl.engine.udp.offload import UDP_GRO, OffloadPeer


class CoreTun(OffloadTun):
    """A TUN interface that the core may have read from, and to which it writes superframes."""

    merges = Feature.TCP_MERGE | Feature.UDP_MERGE

    def attach(self, left_out: LeftOut, left_in: LeftIn) -> tuple[bytearray, memoryview]:
        """Hand over what is left there from now on. Return the memory of a frame's header, and that of frames."""
        self._left, self._left_in = left_out, left_in
        left_out.frame = -1
        return self._header, self._read

    def receive(self) -> Bytes | list[Train]:
        left, trains = self._left, []
        if left.number:
            packets = self._read[left.packets_at : left.packets_at + left.length]
            trains.append(Train(packets, left.size, left.number, left.number))
        if left.frame >= 0:
            train = self._train(left.frame_at, left.frame)
            trains.append(train.part(left.sent, train.number - left.sent) if left.sent else train)
        error, left.error, left.number, left.frame = left.error, 0, 0, -1
        if trains:
            return trains
        if error:
            raise OSError(error, os.strerror(error))
        return super().receive()

    def pieces(self, train: Train) -> Iterator[Train]:
        """Yield the run that the core was refused, and each packet behind it alone."""
        for feature in self.merges:
            self.features.use(feature)  # what was given up is tried again by the core, after a while
        run = self._left_in.run if self._left_in.refusal else 0
        if run > 1:
            yield train.part(0, run)
            train = train.part(run, train.number - run)
        yield from train.singles()

    def send(self, piece: Train) -> None:
        if piece.number == 1:
            self.send_lone(piece.data)
            return
        try:
            _meet_refusal(self._left_in)
        except OSError as error:
            self.refused(piece, error)
            raise

    def _write(self, *buffers: Bytes) -> None:
        _meet_refusal(self._left_in)
        super()._write(*buffers)


class CorePeer(OffloadPeer):
    """The connected socket, which the core may have received from."""

    def attach(self, left_out: LeftOut, left_in: LeftIn) -> memoryview:
        """Hand over what is left there from now on. Return the memory of datagrams."""
        self._socket = cast(socket.socket, _LeftSocket(self._socket, left_out, left_in))
        return self._read

    @property
    def ecn(self) -> int:
        """The ECN field that the socket sends with."""
        return self._ecn

    @property
    def largest(self) -> int:
        """The largest packet that is known to go in a train, in bytes."""
        return self._largest


class _LeftSocket:
    """A socket that first has what the core received from it, and whose next send fails if that of the core did."""

    def __init__(self, real: socket.socket, left_out: LeftOut, left_in: LeftIn) -> None:
        self._real, self._out, self._in = real, left_out, left_in

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    def recvmsg_into(self, buffers: Sequence[memoryview], size: int) -> tuple[int, list[Any], int, Any]:
        left = self._in
        if not left.there:
            return self._real.recvmsg_into(buffers, size)
        left.there = 0
        if left.error:
            raise OSError(left.error, os.strerror(left.error))
        beside = [(socket.IPPROTO_IP, socket.IP_TOS, bytes([left.ecn]))]
        if left.gro:
            beside.append((socket.IPPROTO_UDP, UDP_GRO, left.gro.to_bytes(4, "little")))
        return left.length, beside, left.flags, None

    def send(self, data: Bytes) -> int:
        _meet_refusal(self._out)
        return self._real.send(data)

    def sendmsg(self, buffers: Sequence[Bytes], beside: Sequence[Any]) -> int:
        _meet_refusal(self._out)
        return self._real.sendmsg(buffers, beside)


def _meet_refusal(left: LeftOut | LeftIn) -> None:
    """Raise the error that the core met with what is now sent or written."""
    if refusal := left.refusal:
        left.refusal = 0
        raise OSError(refusal, os.strerror(refusal))
