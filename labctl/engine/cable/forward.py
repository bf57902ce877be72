"""From port to port: frames of the TAP device to the other end, datagrams of the other end to the TAP device.

No fault of a frame, a datagram or the network raises. What ends it is the deletion of the device (DeviceGone).
"""

from __future__ import annotations

import errno
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from labctl.engine.cable import counters as count
from labctl.engine.cable import wire
from labctl.engine.cable.line import Line, State
from labctl.engine.cable.records import Records
from labctl.engine.cable.sealing import KEY, Cipher, Datagram, Exhausted, Opened, Opener, Sealer, key_of
from labctl.engine.cable.tap import GONE
from labctl.engine.packets import vnet
from labctl.engine.packets.address import Address
from labctl.engine.packets.train import Bytes

BATCH = 16
"""Calls that one port gets before the other has its turn."""

_OUT_BY_ERRNO = {
    errno.EPERM: count.OUT_REFUSED,
    errno.ECONNREFUSED: count.OUT_REFUSED,
    errno.ENETUNREACH: count.OUT_UNREACHABLE,
    errno.EHOSTUNREACH: count.OUT_UNREACHABLE,
    errno.EMSGSIZE: count.OUT_TOO_BIG,
    errno.EAGAIN: count.OUT_BUSY,
    errno.ENOBUFS: count.OUT_BUSY,
}
_IN_BY_ERRNO = {
    errno.EIO: count.IN_LINK_DOWN,
    errno.EBADFD: count.IN_LINK_DOWN,
    errno.EAGAIN: count.IN_BUSY,
    errno.ENOBUFS: count.IN_BUSY,
}


class DeviceGone(Exception):
    """The TAP device was deleted while we were attached to it."""


class TapPort(Protocol):
    """The TAP device as the cable sees it; `tap` has its twin of the kernel."""

    def receive(self) -> memoryview: ...

    def send(self, buffers: Sequence[Bytes]) -> None: ...

    def set_carrier(self, there: bool) -> None: ...

    def is_up(self) -> bool: ...


class DatagramPort(Protocol):
    """The socket as the cable sees it."""

    @property
    def version(self) -> int: ...

    other_port: int

    def face(self, peer: Address) -> None: ...

    def receive(self) -> tuple[memoryview, int, bool]: ...

    def send(self, row: Sequence[Datagram]) -> None: ...


@dataclass(frozen=True)
class Ends:
    """The name of a cable, and what its two ends are called: ours and the other."""

    cable: str
    ours: str
    theirs: str


@dataclass(frozen=True)
class Plug:
    """What joins this end with the other: its address, and a key that both got and that serves this time only."""

    peer: Address
    key: bytes = field(repr=False)
    cipher: Cipher = "aes-256-gcm"

    def __post_init__(self) -> None:
        if len(self.key) != KEY:
            raise ValueError(f"a key has {KEY} bytes, and not {len(self.key)}")


class Cable:
    """One end of a cable. Before it is plugged in nothing is sent and nothing is taken."""

    def __init__(
        self, tap: TapPort, udp: DatagramPort, ends: Ends, numbers: count.CableCounters, say: Callable[[str], None]
    ) -> None:
        self._tap, self._udp, self._ends, self._say = tap, udp, ends, say
        self._numbers = numbers.cells
        self._state = State.UNPLUGGED
        self._used: set[bytes] = set()  # digests of the keys that this process has had
        self._line: Line | None = None
        self._opener: Opener | None = None
        self._before: Opener | None = None  # with the key before this one
        self._sealer: Sealer | None = None
        self._records = Records()
        self._sent = self._taken = 0  # datagrams with frames since it was joined
        self._wrong = 0, 0  # datagrams that were not authentic, and of strangers, while the other end was heard
        self._said_path = 0  # the path MTU that was told last
        self._news = False  # whether something of the line may have changed since the last tick
        self.peer: Address | None = None

    def plug(self, plug: Plug, now: float) -> None:
        """Join with the other end, in place of what was joined before. Raise ValueError, OSError if that cannot be.

        A key serves once: the counters begin anew with each, and so would the nonces.
        """
        digest = hashlib.sha256(plug.key).digest()
        if digest in self._used:
            raise ValueError("this key has been used: each time of being joined takes a new one")
        self._udp.face(plug.peer)
        self._used.add(digest)
        ends = self._ends
        self._sealer = Sealer(key_of(plug.key, ends.cable, ends.ours), plug.cipher)
        self._before = self._opener
        self._opener = Opener(key_of(plug.key, ends.cable, ends.theirs), plug.cipher)
        self._count_early(self._opener)
        self._records = Records()
        self._line = Line(self._udp.version, self._link_is_up(), now)
        self._sent = self._taken = self._said_path = 0
        self._news = True
        self.peer = plug.peer
        self._numbers[count.KEYS] += 1
        self._say(f"joined with {plug.peer}, sealed with {plug.cipher}")
        self.tick(now)

    def _count_early(self, opener: Opener) -> None:
        """Count anew what the other end, which was given the new key first, has sealed with it."""
        early = sum(map(opener.is_sealed, self._before.refused)) if self._before else 0
        self._numbers[count.IN_NOT_AUTHENTIC] -= early
        self._numbers[count.IN_OTHER_KEY] += early

    def unplug(self, why: str) -> None:
        """Forget the other end and the keys."""
        self._line = self._opener = self._sealer = self.peer = None
        self._say(f"not joined any more: {why}")
        self._show(State.UNPLUGGED)

    # Out: from the TAP device to the other end.

    def tap_to_peer(self) -> None:
        """Send frames that wait. Raise DeviceGone if the device was deleted."""
        for _ in range(BATCH):
            try:
                frame = self._tap.receive()
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno in GONE:
                    raise DeviceGone from error
                raise
            numbers = self._numbers
            numbers[count.TAP_READ] += 1
            numbers[count.TAP_READ + 1] += len(frame) - vnet.SIZE
            try:
                self._send_frame(frame)
            except OSError as error:
                numbers[_OUT_BY_ERRNO.get(error.errno or 0, count.OUT_SEND_FAILED)] += 1
            except Exhausted:
                numbers[count.OUT_NO_CARRIER] += 1
                self.unplug("the key has sealed as much as it may; `labctl up` brings a new one")

    def _send_frame(self, frame: memoryview) -> None:
        line, sealer = self._line, self._sealer
        if line is None or sealer is None or self._state < State.PEER_DOWN or not line.carries:
            self._numbers[count.OUT_NO_CARRIER] += 1
            return
        size = line.path - wire.SEAL
        argument = wire.lone_argument(frame) if len(frame) - vnet.SIZE <= size else None
        if argument is not None:
            row = [sealer.seal(wire.LONE, argument, frame[vnet.SIZE :])]
        else:
            row = sealer.seal_record(frame, size)
        self._udp.send(row)
        self._numbers[count.SENT_FRAMES] += 1
        self._numbers[count.UDP_SENT] += len(row)
        self._sent += len(row)

    # In: from the other end to the TAP device.

    def peer_to_tap(self, now: float) -> None:
        """Take datagrams that wait."""
        for _ in range(BATCH):
            try:
                datagrams, size, from_peer = self._udp.receive()
            except BlockingIOError:
                return
            except OSError:
                continue  # a notice of something sent earlier (udp(7))
            number = max(1, -(-len(datagrams) // size))
            self._numbers[count.UDP_RECEIVED] += number
            opener = self._opener
            if opener is None or not from_peer:
                self._numbers[count.IN_NOT_FROM_PEER if opener else count.IN_NOT_JOINED] += number
                continue
            opened_row = opener.open(datagrams, size)
            if opened_row and self._line:
                self._line.arrived(min(size, len(datagrams)), now)
            for opened in opened_row:
                try:
                    self._take(opened, now)
                except ValueError:
                    self._numbers[count.IN_MALFORMED] += len(opened.bodies)
                else:
                    self._numbers[count.OPENED] += len(opened.bodies)
            self._count_refused(opener)

    def _count_refused(self, opener: Opener) -> None:
        if not (opener.not_authentic or opener.replayed or opener.stale or self._records.unfinished):
            return
        late = 0
        if self._before and opener.not_authentic:
            late = sum(map(self._before.is_sealed, [*opener.refused][-opener.not_authentic :]))
        for cell, number in (
            (count.IN_NOT_AUTHENTIC, opener.not_authentic - late),
            (count.IN_OTHER_KEY, late),
            (count.IN_REPLAYED, opener.replayed),
            (count.IN_STALE, opener.stale),
            (count.IN_UNFINISHED, self._records.unfinished),
        ):
            self._numbers[cell] += number
        opener.not_authentic = opener.replayed = opener.stale = self._records.unfinished = 0

    def _take(self, opened: Opened, now: float) -> None:
        """Handle an authentic datagram. Raise ValueError for one that no sender makes."""
        kind, argument, counter, bodies, ended = opened
        if kind != wire.BEAT:
            self._taken += len(bodies)
        if kind == wire.PIECE or kind == wire.LAST:
            if record := self._records.add(argument, counter, bodies, ended):
                self._write(record)
        elif kind == wire.LONE:
            self._write([wire.header_of_lone(argument), *bodies])
        elif kind == wire.BEAT and self._line:
            self._news = True
            (body,) = bodies
            self._line.heard(body, len(body) + wire.SEAL, now)
            # What has overtaken this beat makes it less for a moment, what it has overtaken more.
            self._numbers[count.LOST] = max(0, self._line.sent_there - self._taken)
            self._numbers[count.BEATS_RECEIVED] += 1
        else:
            raise ValueError(f"no kind of datagram: {kind}")

    def _write(self, buffers: Sequence[bytes]) -> None:
        numbers = self._numbers
        numbers[count.RECEIVED_FRAMES] += 1
        try:
            self._tap.send(buffers)
        except OSError as error:
            numbers[_IN_BY_ERRNO.get(error.errno or 0, count.IN_TAP_REJECTED)] += 1
        else:
            numbers[count.TAP_WRITTEN] += 1
            numbers[count.TAP_WRITTEN + 1] += sum(map(len, buffers)) - vnet.SIZE

    # The line: beats and the carrier.

    def tick(self, now: float) -> float | None:
        """Send the beats that are due, have the carrier follow, and return when to call again at the latest."""
        line = self._line
        if line is None:
            return None
        if not self._news and now < line.due():
            return line.due()
        self._news = False
        try:
            for body in line.beats(now, self._sent):
                self._send_beat(body)
        except Exhausted:
            self.unplug("the key has sealed as much as it may; `labctl up` brings a new one")
            return None
        self._numbers[count.RTT] = line.rtt
        state = line.state(now)
        self._show_instead(state)
        self._show(state)
        self._show_path(line)
        return max(line.due(), now)

    def _send_beat(self, body: bytes) -> None:
        assert self._sealer
        try:
            self._udp.send([self._sealer.seal(wire.BEAT, 0, body)])
        except OSError as error:  # it is as if it was lost: one that is too large shall be
            self._numbers[count.SEND_ERRNO] = error.errno or 0
            return
        self._numbers[count.SEND_ERRNO] = 0
        self._numbers[count.BEATS_SENT] += 1

    def _show_instead(self, state: State) -> None:
        """Show what comes while nothing of the other end does."""
        numbers = self._numbers
        not_authentic = numbers[count.IN_NOT_AUTHENTIC] + numbers[count.IN_OTHER_KEY]
        strangers = numbers[count.IN_NOT_FROM_PEER]
        if state is not State.NOTHING_IN:
            self._wrong = not_authentic, strangers
            self._udp.other_port = 0
        numbers[count.INSTEAD_NOT_AUTHENTIC] = not_authentic - self._wrong[0]
        numbers[count.INSTEAD_NOT_FROM_PEER] = strangers - self._wrong[1]
        numbers[count.INSTEAD_FROM_PORT] = self._udp.other_port

    def _show(self, state: State) -> None:
        if state == self._state:
            return
        self._say(state.name.lower().replace("_", " "))
        before, self._state = self._state, state
        self._numbers[count.STATE] = state
        if (before is State.UP) != (state is State.UP):
            try:
                self._tap.set_carrier(state is State.UP)
            except OSError as error:
                raise DeviceGone from error

    def _show_path(self, line: Line) -> None:
        path = line.path + wire.UDP_AND_IP[self._udp.version] if line.path else 0
        self._numbers[count.PATH_MTU], self._numbers[count.SEARCHING] = path, line.searching
        if line.carries and not line.searching and path != self._said_path:
            self._said_path = path
            self._say(f"path MTU {path}")

    def link_changed(self, now: float) -> None:
        """Take note that something of the interface has changed."""
        if self._line:
            self._news = True
            self._line.link_is(self._link_is_up(), now)

    def _link_is_up(self) -> bool:
        try:
            return self._tap.is_up()
        except OSError:
            return False
