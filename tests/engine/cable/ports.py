"""The in-memory twins of the two ports of a cable, and two ends that are joined through them."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence

from labctl.engine.cable.counters import DROPS_IN, DROPS_OUT, CableCounters
from labctl.engine.cable.forward import Cable, Ends, Plug
from labctl.engine.cable.line import State
from labctl.engine.cable.sealing import Cipher, Datagram
from labctl.engine.packets.address import Address
from labctl.engine.packets.train import Bytes

CABLE, A, B = "a:wan0-b:wan0", "a:wan0", "b:wan0"
KEY = bytes(range(32))


class MemoryTap:
    """Frames wait in `waiting`, and what is written is in `written`; `failure` is raised by writes."""

    def __init__(self) -> None:
        self.waiting: deque[bytes] = deque()
        self.written: list[bytes] = []
        self.carrier = False
        self.up = True
        self.failure: OSError | None = None

    def receive(self) -> memoryview:
        if not self.waiting:
            raise BlockingIOError
        return memoryview(self.waiting.popleft())

    def send(self, buffers: Sequence[Bytes]) -> None:
        if self.failure:
            raise self.failure
        self.written.append(b"".join(buffers))

    def set_carrier(self, there: bool) -> None:
        self.carrier = there

    def is_up(self) -> bool:
        return self.up


class MemorySocket:
    """What is sent is in `sent`, datagram by datagram, and what waits in `waiting` with whether it is the peer's."""

    version = 4
    other_port = 0

    def __init__(self, largest: int) -> None:
        self.largest = largest
        self.sent: list[bytes] = []
        self.waiting: deque[tuple[bytes, bool]] = deque()
        self.failure: OSError | None = None

    def face(self, peer: Address) -> None:
        pass

    def receive(self) -> tuple[memoryview, int, bool]:
        if not self.waiting:
            raise BlockingIOError
        datagram, from_peer = self.waiting.popleft()
        return memoryview(datagram), max(1, len(datagram)), from_peer

    def send(self, row: Sequence[Datagram]) -> None:
        if self.failure:
            raise self.failure
        self.sent += [whole for whole in map(b"".join, row) if len(whole) <= self.largest]


class MemoryEnd:
    """One end of a cable in memory."""

    def __init__(self, ours: str, theirs: str, largest: int) -> None:
        self.tap, self.socket = MemoryTap(), MemorySocket(largest)
        self.counters = CableCounters.anonymous()
        self.said: list[str] = []
        self.cable = Cable(self.tap, self.socket, Ends(CABLE, ours, theirs), self.counters, self.said.append)

    def plug(self, key: bytes = KEY, now: float = 0.0, cipher: Cipher = "aes-256-gcm") -> None:
        self.cable.plug(Plug(Address("192.0.2.9", 47000), key, cipher), now)

    def take(self, *datagrams: bytes, from_peer: bool = True, now: float = 0.1) -> None:
        """Have datagrams come, and handle all of them."""
        self.socket.waiting.extend((each, from_peer) for each in datagrams)
        while self.socket.waiting:
            self.cable.peer_to_tap(now)
        self.cable.tick(now)

    def send(self, *frames: bytes) -> list[bytes]:
        """Send frames, and return the datagrams that carry them."""
        self.socket.sent.clear()
        self.tap.waiting.extend(frames)
        while self.tap.waiting:
            self.cable.tap_to_peer()
        sent, self.socket.sent = self.socket.sent, []
        return sent

    @property
    def now(self) -> dict[str, int]:
        return self.counters.snapshot()

    @property
    def drops(self) -> dict[str, int]:
        return {name: number for name, number in self.now.items() if name in (*DROPS_OUT, *DROPS_IN) and number}


def joined(largest: int = 1472, cipher: Cipher = "aes-256-gcm") -> tuple[MemoryEnd, MemoryEnd]:
    """Return two ends that are up, over a path that takes datagrams of `largest` bytes."""
    a, b = MemoryEnd(A, B, largest), MemoryEnd(B, A, largest)
    for end in (a, b):
        end.plug(cipher=cipher)
    until(lambda: [a.now["state"], b.now["state"]] == [State.UP] * 2, a, b)
    return a, b


def until(condition: Callable[[], bool], a: MemoryEnd, b: MemoryEnd) -> None:
    """Carry datagrams to and fro until a condition holds."""
    for _ in range(10):
        for here, there in ((a, b), (b, a)):
            sent, here.socket.sent = here.socket.sent, []
            there.take(*sent)
        if condition() and not a.socket.sent and not b.socket.sent:
            return
    raise AssertionError(f"{a.said} {b.said}")
