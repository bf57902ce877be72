"""What one end of a cable knows of the other: whether it is there and hears us, and how large a datagram may be.

Each end sends a beat every BEAT seconds, and at once when it has something new to say. A beat says whether the sender
hears us and whether its interface is up, so the carrier of both ends follows: an end that hears nothing for DEAD
seconds says so while it still can, and where it cannot, the other hears nothing either. Beats go the way of frames,
through the same sockets, so they cannot arrive where frames do not.

The size is found as RFC 8899 does (DPLPMTUD), for the ICMP messages of a path may never come: beats are padded, and
each end reports the largest datagram that came lately. `search` says which sizes are tried; the beat behind those of a
round asks for an answer at once, so a search lasts as many round trips as it has rounds. Later a beat of the size in
use is sent with every beat. Where that does not arrive for DEAD seconds there is another search, and after SHRINK
seconds the size is what does arrive: on a path that loses much, a few are lost and no more. Where that is too small for
frames, one search follows the other. Fragments of IP are forbidden.

Time is an argument, in seconds of any clock that does not jump.
"""

from __future__ import annotations

import enum
from collections import deque
from collections.abc import Iterator
from math import inf

from labctl.engine.cable import wire
from labctl.engine.cable.search import Search

BEAT = 0.4
"""Seconds between two beats."""

DEAD = 1.3
"""Seconds of silence after which the other end is taken for gone; with what a beat may wait, less than two."""

SHRINK = 3.0
"""Seconds after which a size is given up that does not arrive any more."""

AGAIN = 30.0
"""Seconds between two searches for a larger size."""

MTUS = (
    *(65535, 32768, 16384, 9216, 9000, 8951, 8500, 4352, 2304, 1500, 1492, 1480, 1472, 1460, 1450, 1440, 1420, 1412),
    *(1400, 1380, 1360, 1340, 1320, 1300, 1280, 1024, 576),
)
"""MTUs of links, of tunnels over them, and the smallest that counts (RFC 791), in bytes; largest first."""

_MOST = 65507  # bytes of a datagram
_OFTEN = 0.1  # seconds between two datagrams whose size is kept


class State(enum.IntEnum):
    """How a cable is, seen from one end."""

    UNPLUGGED = 0  # this end has no address and no key yet
    NOTHING_IN = 1  # nothing authentic comes from the other end
    ONLY_IN = 2  # it comes, and what we send does not arrive
    TOO_SMALL = 3  # only small datagrams arrive
    PEER_DOWN = 4  # all is well, but the interface of the other end is down
    UP = 5


class Line:
    """The other end, over a path of one IP version. `path` is the largest datagram that arrives there, in bytes.

    The other end says so, and is authentic: a wrong size harms its own cable alone.
    """

    def __init__(self, version: int, link_up: bool, now: float) -> None:
        headers = wire.UDP_AND_IP[version]
        ladder = tuple(min(mtu - headers, _MOST) for mtu in MTUS)
        self._least = ladder[-1]
        self.path = 0
        self.rtt = 0
        """The last round trip, in microseconds; 0 before the first."""
        self.sent_there = 0
        """How many datagrams with frames the other end had sent when it sent the last beat."""
        self._link_up = link_up
        self._peer = 0  # the flags of its last beat
        self._stamp = 0  # and its clock
        self._heard_at = -inf
        self._sizes: deque[tuple[float, int]] = deque()  # of its datagrams that came lately
        self._path_seen_at = now
        self._reported = 0  # the largest datagram that the other end got lately
        self._search = Search(ladder)
        self._search_at = inf
        self._asked = 0  # the stamp of the beat that first asked about the round that is under way, 0 for none
        self._ask_at = now  # when to send the sizes of that round
        self._said = -1, 0
        self._due = now

    def state(self, now: float) -> State:
        """Return how the cable is."""
        if now - self._heard_at >= DEAD:
            return State.NOTHING_IN
        if not self._peer & wire.HEARS_YOU or not self.path:
            return State.ONLY_IN
        if not self.carries:
            return State.TOO_SMALL
        return State.UP if self._peer & wire.LINK_UP else State.PEER_DOWN

    @property
    def carries(self) -> bool:
        """Whether the path takes datagrams that are large enough for frames."""
        return self.path >= self._least

    @property
    def searching(self) -> bool:
        """Whether one of the ends is still finding out how large a datagram may be."""
        return self._search.open or bool(self._peer & wire.SEARCHES)

    def link_is(self, up: bool, now: float) -> None:
        """Take note of whether our interface is up."""
        self._link_up = up
        self._hurry(now)

    def arrived(self, size: int, now: float) -> None:
        """Take note that an authentic datagram of this size came, whatever is in it."""
        self._heard_at = now
        sizes = self._sizes
        if not sizes or size > sizes[-1][1] or now - sizes[-1][0] > _OFTEN:
            sizes.append((now, size))

    def heard(self, body: bytes, size: int, now: float) -> None:
        """Take note of an authentic beat that came in a datagram of `size` bytes. Raise ValueError if it is none."""
        beat = wire.Beat.of(body)
        self.arrived(size, now)
        if beat.stamp >= self._stamp:  # else it was overtaken
            if beat.flags & ~self._peer & wire.HEARS_YOU:
                self._search_at = self._due = now
            self._peer, self._stamp, self.sent_there = beat.flags, beat.stamp, beat.sent
            if beat.echo:
                self.rtt = max(1, _microseconds(now) - beat.echo - beat.held)
            self._reported = min(beat.largest, _MOST)
            answers = 0 < self._asked <= beat.echo
            if answers:
                self._asked, self._ask_at = 0, now
                self._search.answered(self._reported)
            if beat.flags & wire.ASKS or (answers and self._search.open):
                self._due = now
            if answers or self.path:
                self._follow(self._reported, now)
        self._hurry(now)

    def _follow(self, largest: int, now: float) -> None:
        """Adopt a larger size at once, a smaller one when the size in use has not arrived for SHRINK seconds."""
        if largest >= self.path or now - self._path_seen_at >= SHRINK:
            if largest < self.path:
                self._search_at = min(self._search_at, now + SHRINK)
            self.path, self._path_seen_at = largest, now
        elif now - self._path_seen_at >= DEAD and not self._search.open:
            self._search_at = min(self._search_at, now)

    def _says(self, now: float) -> tuple[int, int]:
        """Return the flags, and the size of the largest datagram that came lately."""
        while self._sizes and now - self._sizes[0][0] >= DEAD:
            self._sizes.popleft()
        flags = wire.LINK_UP * self._link_up | wire.HEARS_YOU * (now - self._heard_at < DEAD)
        return flags | wire.SEARCHES * self._search.open, max((size for _, size in self._sizes), default=0)

    def _hurry(self, now: float) -> None:
        """Have a beat sent now if there is something new to say that the other end waits for."""
        flags, largest = self._says(now)
        if flags != self._said[0] or largest > self._said[1]:
            self._due = now

    def due(self) -> float:
        """Return when `beats` has something to send, or `state` may change by itself."""
        return min(self._due, self._heard_at + DEAD if self._said[0] & wire.HEARS_YOU else inf)

    def beats(self, now: float, sent: int = 0) -> Iterator[bytes]:
        """Yield the bodies of the beats that are to be sent now; the last one is small and may not be left out.

        `sent` is the number of datagrams with frames that were sent so far.
        """
        self._hurry(now)
        if now < self._due:
            return
        stamp = _microseconds(now)
        probes = self._probes(now, stamp)
        self._said = flags, largest = self._says(now)
        self._due = now + BEAT
        held = min(_microseconds(now - self._heard_at), 0xFFFFFFFF) if self._stamp else 0
        beat = wire.Beat(flags, largest, stamp, self._stamp, held, sent)
        for size in sorted({*probes, self.path, self._reported}, reverse=True):
            if size > wire.SMALLEST_BEAT:
                yield beat.padded(size)
        if probes:  # an answer to the last beat has seen what of the others arrives
            beat = beat._replace(flags=flags | wire.ASKS, stamp=stamp + 1)
        yield beat.padded(wire.SMALLEST_BEAT)

    def _probes(self, now: float, stamp: int) -> list[int]:
        """Return the sizes that are tried with the beat of this stamp."""
        if now - self._heard_at >= DEAD or not self._peer & wire.HEARS_YOU:
            return []  # nothing tells what arrives
        if now >= self._search_at or not (self.carries or self._search.open):
            self._search.begin(self._reported)
            self._asked, self._ask_at, self._search_at = 0, now, now + AGAIN
        if not self._search.open or now < self._ask_at:
            return []
        self._asked, self._ask_at = self._asked or stamp + 1, now + BEAT
        return self._search.round()


def _microseconds(seconds: float) -> int:
    return int(seconds * 1e6)
