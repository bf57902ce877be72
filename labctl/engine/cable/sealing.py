"""Sealing and opening datagrams: AES-256-GCM or ChaCha20-Poly1305 (RFC 5116), by `cryptography`.

The two ends share 32 random bytes, which are known to no other and serve one connection alone: an end that starts anew
has no key until both get a new one. Each direction has a key of its own, derived by HKDF-Expand (RFC 5869, 2.3; the
bytes are random, so nothing is to be extracted first). A sealer counts from 1, and ends with `LAST_COUNTER`.
"""

from __future__ import annotations

import hmac
import secrets
from collections import deque
from pathlib import Path
from typing import Literal, NamedTuple, get_args

from labctl.engine.cable import wire
from labctl.engine.cable.replay import Came, Window
from labctl.engine.packets.train import Bytes

Cipher = Literal["aes-256-gcm", "chacha20-poly1305"]
CIPHERS: tuple[Cipher, ...] = get_args(Cipher)

KEY = 32
"""Bytes of a key."""

KEPT = 64
"""Datagrams that are kept to be tried with another key: as many as the kernel hands over at once (udp(7), UDP_GRO)."""

_ZEROS = bytes(12 - wire.HEADER)


class Exhausted(Exception):
    """A key has sealed as many datagrams as it may."""


Datagram = tuple[bytes, bytes]
"""A sealed datagram in two parts: the eight bytes in the clear, and what is sealed."""


class Opened(NamedTuple):
    """Datagrams that are authentic and came for the first time: one, or pieces of a record that follow one another.

    `argument`, the index of a piece, and `counter` are those of the first; `ended` is whether the last piece of
    the record is the last of these.
    """

    kind: int
    argument: int
    counter: int
    bodies: list[bytes]
    ended: bool


def preferred() -> Cipher:
    """Return the faster cipher of this machine: without instructions for AES that is ChaCha20."""
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        text = ""
    words = next((line.split() for line in text.splitlines() if line.lower().startswith(("flags", "features"))), [])
    return "aes-256-gcm" if "aes" in words else "chacha20-poly1305"


def key_of(shared: bytes, cable: str, sender: str) -> bytes:
    """Return the key for what one end of a cable sends."""
    return hmac.digest(shared, f"labctl cable 1\0{cable}\0{sender}\x01".encode(), "sha256")


def rehearse() -> None:
    """Do all of it once, with a key that is thrown away: whatever is loaded on first use is loaded then."""
    for cipher in CIPHERS:
        key = key_of(secrets.token_bytes(KEY), "", "")
        datagram = b"".join(Sealer(key, cipher).seal(wire.BEAT, 0, b""))
        Opener(key, cipher).open(memoryview(datagram), len(datagram))


class Sealer:
    """Seals what one end sends. Two with the same key must never exist: each would use every nonce anew."""

    def __init__(self, key: bytes, cipher: Cipher) -> None:
        from labctl.engine.cable.aead import aead  # large, and an extra

        self._encrypt = aead(key, cipher).encrypt
        self._last = 0

    def seal(self, kind: int, argument: int, body: Bytes) -> Datagram:
        """Return a datagram. Raise Exhausted."""
        header = wire.packed(kind, argument, self._counters(1))
        return header, self._encrypt(_ZEROS + header, body, None)

    def seal_record(self, record: memoryview, size: int) -> list[Datagram]:
        """Return a record as datagrams, with bodies of `size` bytes but for the last. Raise Exhausted."""
        encrypt = self._encrypt
        starts = range(0, len(record), size)
        headers = wire.headers_of_record(self._counters(len(starts)), len(starts))
        return [
            (header, encrypt(_ZEROS + header, record[at : at + size], None))
            for header, at in zip(headers, starts, strict=True)
        ]

    def _counters(self, number: int) -> int:
        """Return the first of so many counters, which nothing else will use."""
        first = self._last + 1
        self._last += number
        if self._last > wire.LAST_COUNTER:
            raise Exhausted
        return first


class Opener:
    """Opens what the other end sends, and counts what it does not take."""

    def __init__(self, key: bytes, cipher: Cipher) -> None:
        from labctl.engine.cable.aead import FAILURES, aead

        self._decrypt, self._failures = aead(key, cipher).decrypt, FAILURES
        self._window = Window()
        self.not_authentic = self.replayed = self.stale = 0
        self.refused: deque[bytes] = deque(maxlen=KEPT)  # the last that were not authentic

    def is_sealed(self, datagram: bytes) -> bool:
        """Return whether a datagram was sealed with this key. It is not taken."""
        try:
            self._decrypt(_ZEROS + datagram[: wire.HEADER], datagram[wire.HEADER :], None)
        except self._failures:
            return False
        return True

    def open(self, datagrams: memoryview, size: int) -> list[Opened]:
        """Return what there is in a row of datagrams of `size` bytes, the last of them perhaps shorter."""
        decrypt, window = self._decrypt, self._window
        opened: list[Opened] = []
        bodies: list[bytes] = []
        following = window.highest + 1  # what comes in order is told to the window together
        expected = ended = 0  # the next piece of the record, as its eight bytes have it, and if that is the last one
        for at in range(0, len(datagrams) or 1, size):  # one without a byte is one, too
            nonce = _ZEROS + datagrams[at : at + wire.HEADER]
            try:
                body = decrypt(nonce, datagrams[at + wire.HEADER : at + size], None)
            except self._failures:
                self.not_authentic += 1
                self.refused.append(bytes(datagrams[at : at + size]))
                continue
            word = int.from_bytes(nonce, "big")
            if word == expected:
                bodies.append(body)
                following += 1
                expected, ended = word + wire.NEXT, word + wire.NEXT_IS_LAST
                continue
            if word == ended:
                bodies.append(body)
                following += 1
                expected = ended = 0
                opened[-1] = opened[-1]._replace(ended=True)
                continue
            kind, argument, counter = wire.unpacked(nonce)
            window.take_all(following - 1)
            came = window.take(counter)
            following, in_order = window.highest + 1, counter == window.highest
            if came is Came.NEW:
                bodies = [body]
                opened.append(Opened(kind, argument, counter, bodies, kind == wire.LAST))
                expected = ended = 0
                if kind == wire.PIECE and in_order:
                    expected, ended = word + wire.NEXT, word + wire.NEXT_IS_LAST
            else:
                self.replayed += came is Came.AGAIN
                self.stale += came is Came.STALE
        window.take_all(following - 1)
        return opened
