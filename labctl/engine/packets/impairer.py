"""A model of an impaired link, after sch_netem of the kernel.

Time is an argument. A packet is offered; later it is due. Between the two it meets, in this order:

loss
    It is gone. It never reaches the link and nothing else happens to it.
corrupt
    One random bit is flipped *behind* the IP header. netem flips one anywhere, but of what was then no
    longer one IP packet of its own stated length the far engine would make a malformed drop: the effect
    would be a second kind of loss. Behind the header the damage arrives, and the receiving host's own
    checksum has to find it, which is what there is to see. A packet with nothing there stays whole.
duplicate
    The same bytes, damage included, follow directly. netem draws for its copy again; ours
    shares the fate of the original, since RFC 5560 calls "duplicate" what is identical.
rate
    The link sends one bit after the other: a packet's last bit is out at max(now, link free) + 8 * size /
    rate. There is no burst and no token, hence no speed above the rate, not even for one packet.
delay, jitter
    Then the wire: uniformly in delay ± jitter from the link's end on. netem lets jitter reorder packets,
    which surprises a user who asked for a varying delay (RFC 3393) and got TCP retransmissions (RFC 4737).
    Here a packet leaves no earlier than the one before it. The price: when packets follow each other
    faster than the jitter, the mean lies above `delay`, toward delay + jitter.
reorder
    That fraction skips the wire: it leaves as soon as the link has sent it, and so overtakes those still
    in flight. The link itself never reorders, so the rate holds all the same. As in netem, this is the
    only way in which order is lost, and it needs a delay.

Chance. Every kind of decision has its own random stream, and every packet that is offered draws from each
of them once, whether it matters or not. So with one seed what the n-th packet draws depends on n alone: not on
time, not on the other impairments, not on what fell to an overfull queue; and all the packets that 10 %
loss takes are among those that 20 % takes.

Limits. netem has one limit (1000 packets) for those that wait for the link and those on the wire alike, so
that a bare `delay 50ms` quietly becomes 230 Mbit/s too. Here the 1000 are for the packets that wait for the
link, as in a router's queue. A wire drops nothing, so what is on it is bounded only for memory's sake.

A change in mid-flight loses and doubles nothing: what waits for the link is sent anew at the new rate from
now on, what is on the wire gets the new delay with what it drew, and all keep their order. Without
impairment, everything that is held is therefore due at once. What has been done to a packet stays done.

The model takes *finished* packets: split to their size on the wire and with all checksums filled in. What
a segmentation offload would do later would both undo the damage and count 45 packets as one.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from functools import cached_property
from random import Random
from typing import Literal

from labctl.engine.packets.impairment import Impairment
from labctl.engine.packets.ip import fault, parse

Drop = Literal["lost", "queue_full"]


@dataclass(frozen=True, slots=True)
class Limits:
    """The most that is held: packets that wait for the link, and all packets."""

    link_packets: int = 1000
    held_packets: int = 65_536
    held_bytes: int = 64 << 20  # 10 Gbit/s for 50 ms


@dataclass(slots=True)
class Counts:
    """Numbers of packets. At any time offered + duplicated == left + lost + queue_full + held."""

    offered: int = 0
    left: int = 0
    lost: int = 0
    queue_full: int = 0  # dropped, an original or a copy
    duplicated: int = 0  # copies made
    corrupted: int = 0  # packets with a bit flipped; the copy of one is not counted again
    reordered: int = 0  # really overtook another packet
    delayed: int = 0  # could not leave at once, whether for the delay or for the rate


@dataclass(slots=True)
class _Held:
    """A packet that is held: when its last bit has left the link, and when it leaves the wire, in seconds."""

    packet: bytes
    deviation: float  # from the delay, in units of the jitter, -1 to 1
    sent: float
    departure: float = 0.0


class Impairer:
    """Impairs the packets of one direction. `now` is monotonic seconds and never decreases.

    `name` is part of the seed, so that two directions with one seed do not lose the same packets.
    """

    def __init__(self, impairment: Impairment, now: float, *, name: str = "", limits: Limits | None = None) -> None:
        self.impairment = impairment
        self.counts = Counts()
        self._name = name
        self._limits = limits or Limits()
        self._wire: deque[_Held] = deque()  # by departure, which is also the order of arrival
        self._ahead: deque[_Held] = deque()  # those that skip the wire; by departure, too
        self._link: deque[float] = deque()  # when each packet that waits for the link will have been sent
        self._link_free = now
        self._bytes = 0

    @property
    def is_idle(self) -> bool:
        """Whether a packet may bypass this: there is no impairment, and no packet is held that it would overtake."""
        return self.impairment.is_none and not self._wire and not self._ahead

    @property
    def held(self) -> int:
        """The number of packets held."""
        return len(self._wire) + len(self._ahead)

    @property
    def held_bytes(self) -> int:
        """The number of bytes held."""
        return self._bytes

    def offer(self, packet: bytes, now: float) -> Drop | None:
        """Take a packet; return why it was dropped, or None. A copy that finds the queue full is only counted."""
        asked, counts = self.impairment, self.counts
        counts.offered += 1
        loss, duplicate, corrupt, reorder, jitter = self._streams
        lost = loss.random() < asked.loss
        copied = duplicate.random() < asked.duplicate
        corrupted, where = corrupt.random() < asked.corrupt, corrupt.random()
        skips = reorder.random() < asked.reorder
        deviation = 2 * jitter.random() - 1
        if lost:
            counts.lost += 1
            return "lost"
        if corrupted:
            packet = self._damage(packet, where)
        kept = self._take(packet, deviation, skips, now)
        if copied:
            counts.duplicated += 1
            self._take(packet, deviation, skips, now)
        return None if kept else "queue_full"

    def due(self, now: float) -> list[bytes]:
        """Return the packets that leave by now, in order of departure, whatever the times of the calls before."""
        wire, ahead, leaving = self._wire, self._ahead, list[bytes]()
        while wire or ahead:
            first = wire if wire and not (ahead and ahead[0].departure < wire[0].departure) else ahead
            if first[0].departure > now:
                break
            leaving.append(first.popleft().packet)
        self._bytes -= sum(map(len, leaving))
        self.counts.left += len(leaving)
        return leaving

    def next_due(self) -> float | None:
        """Return when `due` will next return a packet, perhaps in the past; None if nothing is held."""
        return min((line[0].departure for line in (self._wire, self._ahead) if line), default=None)

    def change(self, impairment: Impairment, now: float) -> None:
        """Impair differently from now on. Another seed starts new random streams; the same one goes on with the old."""
        if impairment.seed != self.impairment.seed:
            self.__dict__.pop("_streams", None)  # made anew for the next packet
        self.impairment = impairment
        self._link.clear()
        self._link_free = now
        # Only the link knows the order of arrival across the two lines: no two packets leave it together.
        for held in sorted((*self._wire, *self._ahead), key=lambda held: held.sent):
            if held.sent > now:
                held.sent = self._send(len(held.packet), now)
        last = now
        for held in self._wire:
            if held.departure > now:  # one that is due already stays so, though `due` has not been called yet
                held.departure = last = max(last, self._arrival(held))
        for held in self._ahead:
            held.departure = held.sent

    def _take(self, packet: bytes, deviation: float, skips: bool, now: float) -> bool:
        """Hold a packet until it leaves; return False if a queue is full."""
        link, limits, size = self._link, self._limits, len(packet)
        while link and link[0] <= now:
            link.popleft()
        if (
            len(link) >= limits.link_packets
            or self.held >= limits.held_packets
            or self._bytes + size > limits.held_bytes
        ):
            self.counts.queue_full += 1
            return False
        held = _Held(packet, deviation, self._send(size, now))
        last = self._wire[-1].departure if self._wire else now
        if skips:
            held.departure = held.sent
            self.counts.reordered += last > held.sent
            self._ahead.append(held)
        else:
            held.departure = max(last, self._arrival(held))
            self._wire.append(held)
        self._bytes += size
        self.counts.delayed += held.departure > now
        return True

    def _send(self, size: int, now: float) -> float:
        """Return when the link has sent so many bytes that it gets now."""
        if not self.impairment.rate:
            return now
        self._link_free = max(now, self._link_free) + size * 8 / self.impairment.rate
        self._link.append(self._link_free)
        return self._link_free

    def _arrival(self, held: _Held) -> float:
        """Return when the wire would deliver this packet if it were alone."""
        return held.sent + self.impairment.delay + self.impairment.jitter * held.deviation

    def _damage(self, packet: bytes, where: float) -> bytes:
        """Flip the bit that lies at this fraction of what is behind the IP header and its extensions."""
        start = len(packet) if fault(packet) else parse(packet).payload_at
        if start == len(packet):
            return packet
        byte, bit = divmod(int(where * 8 * (len(packet) - start)), 8)
        damaged = bytearray(packet)
        damaged[start + byte] ^= 0x80 >> bit
        self.counts.corrupted += 1
        return bytes(damaged)

    @cached_property
    def _streams(self) -> list[Random]:
        """A random stream for every kind of decision, by the seed if there is one. Most endpoints never need them."""
        seed = self.impairment.seed
        return [
            # Random hashes text with SHA-512: the streams are unrelated, and the same on every machine.
            Random() if seed is None else Random(f"{seed}/{self._name}/{kind}")
            for kind in ("loss", "duplicate", "corrupt", "reorder", "jitter")
        ]
