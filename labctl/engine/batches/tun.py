"""The TUN device with the kernel's offloads: many packets with one call.

Superframes that are alike are taken a few at a time, and cut at once: where several processes share a CPU, the
second finds in the caches what the first had to fetch. Small packets are taken as many as there are, and
neighbours of one size leave as one train. What is written is merged (`coalesce`).
"""

from __future__ import annotations

import os
from collections.abc import Iterable

import numpy as np

from labctl.engine.batches import coalesce, split
from labctl.engine.batches.checksums import Rows
from labctl.engine.features import Feature
from labctl.engine.packets.split import NotSplittable
from labctl.engine.packets.train import MOST_PACKETS, Bytes, Train
from labctl.engine.packets.vnet import NEEDS_CSUM, VnetHeader
from labctl.engine.packets.vnet import SIZE as VNET
from labctl.engine.ports import LARGEST, buffer
from labctl.engine.tun.offload import OffloadTun

# Superframes that are taken at once. More gain nothing: with their packets, eight fill the usual L2 cache.
MOST_FRAMES = 4


class BatchTun(OffloadTun):
    """A TUN interface whose frames are taken many at once, and to which neighbours are written as superframes."""

    merges = Feature.TCP_MERGE | Feature.UDP_MERGE
    buffer_size = MOST_FRAMES * LARGEST

    def __init__(self, descriptor: int) -> None:
        super().__init__(descriptor)
        # Each superframe has a slot; small packets are read behind one another while they begin in the first.
        self._frames = np.frombuffer(self._read, np.uint8).reshape(MOST_FRAMES, LARGEST)
        slots = range(0, MOST_FRAMES * LARGEST, LARGEST)
        self._first, *self._further = ((self._header, self._read[at : at + LARGEST]) for at in slots)
        # One for superframes that are alike, one for the other that may come behind them.
        self._splitters = split.Splitter(buffer(2 * MOST_FRAMES * LARGEST)), split.Splitter(buffer(2 * LARGEST))
        self._merged = buffer(VNET + LARGEST)
        # A packet that comes alone goes on before a second is looked for.
        self._alone = True

    def rested(self) -> None:
        self._alone = True

    def receive(self) -> Bytes | list[Train]:
        """Return what waits: one packet, packets up to a batch, or superframes that are alike; and what ends these."""
        header = self._header
        length = os.readv(self._descriptor, self._first) - VNET
        if header[1]:
            return self._superframes(length)
        if self._alone:
            self._alone = False
            return self._read[:length] if not header[0] else self._finished(0, length, 1, bytes(header)).data
        return self._batch(length)

    def _superframes(self, length: int) -> list[Train]:
        """Take more superframes, behind a first one of this length."""
        header, number = VnetHeader.read(self._header), 1
        kind = split.kind_of(self._read[:length], header)
        ending: list[Train] = []
        for slot in self._further:
            try:
                size = os.readv(self._descriptor, slot) - VNET
            except OSError:  # if it lasts it comes again with the next call
                break
            last = VnetHeader.read(self._header)
            if size != length or last != header or split.kind_of(slot[1][:size], header) != kind:
                ending = self._ending(number * LARGEST, size)
                break
            number += 1
        return [*self._split(self._frames[:number, :length], header, 0), *ending]

    def _batch(self, length: int) -> list[Train]:
        """Take more packets, behind a first one of this length."""
        descriptor, header, view = self._descriptor, self._header, self._read
        # Neighbours of one size and one header: where they begin, their size, their number, the header.
        groups: list[tuple[int, int, int, bytes]] = []
        start, size, number, at, key = 0, length, 1, length, bytes(header)
        ending: list[Train] = []
        for _ in range(MOST_PACKETS - 1):
            if at > LARGEST:
                break
            try:
                length = os.readv(descriptor, (header, view[at : at + LARGEST])) - VNET
            except OSError:
                self._alone = True
                break
            if header[1]:
                ending = self._ending(at, length)
                break
            if length == size and header == key:
                number += 1
            else:
                groups.append((start, size, number, key))
                start, size, number, key = at, length, 1, bytes(header)
            at += length
        groups.append((start, size, number, key))
        return [*(self._finished(*group) for group in groups), *ending]

    def _finished(self, start: int, size: int, number: int, key: bytes) -> Train:
        packets = self._read[start : start + size * number]
        if key[0] & NEEDS_CSUM:
            split.finish(packets, size, number, VnetHeader.read(key))
        return Train(packets, size, number, number)

    def _ending(self, at: int, size: int) -> list[Train]:
        """Return the trains of what came last, and differs from what came before it."""
        if self._header[1]:
            frame = np.frombuffer(self._read, np.uint8)[None, at : at + size]
            return self._split(frame, VnetHeader.read(self._header), 1)
        return [self._finished(at, size, 1, bytes(self._header))]

    def _split(self, frames: Rows, header: VnetHeader, which: int) -> list[Train]:
        try:
            return self._splitters[which].split(frames, header)
        except NotSplittable:
            # An unfinished packet must not leave. An empty one is counted, as malformed.
            return [Train.of(b"")] * len(frames)

    def pieces(self, train: Train) -> Iterable[Train]:
        """Return the runs that one write takes, found and verified."""
        if train.number == 1:
            return (train,)
        use = self.features.use
        return coalesce.runs(train, use(Feature.TCP_MERGE), use(Feature.UDP_MERGE))

    def send(self, piece: Train) -> None:
        if piece.number == 1:
            self.send_lone(piece.data)
            return
        length = coalesce.merge(piece, self._merged)
        try:
            self._write(self._merged[:length])
        except OSError as error:
            self.refused(piece, error)
            raise
