"""Hostile datagrams by the million, against an end that is joined: `python -m tests.engine.cable.fuzz [COUNT] [SEED]`.

They are noise, good datagrams of the other end with bits flipped, cut, lengthened and joined, and good ones that came
before. Nothing raises, nothing of it is written, and every datagram is exactly one counted drop.
"""

from __future__ import annotations

import random
import sys

from labctl.engine.cable.counters import DROPS_IN
from tests.engine.cable.ports import joined

BATCH = 500


def attack(count: int, seed: int) -> dict[str, int]:
    """Send so many datagrams, and return how many were counted as what."""
    rng = random.Random(seed)
    a, b = joined()
    good = [datagram for size in (0, 60, 900, 4000) for datagram in a.send(bytes(10 + size))]
    b.take(*good)
    b.tap.written.clear()
    before = b.now
    for _ in range(0, count, BATCH):
        b.take(*(hostile(rng, good) for _ in range(BATCH)))
        assert b.tap.written == []
    counted = {name: b.now[name] - before[name] for name in DROPS_IN if b.now[name] != before[name]}
    assert sum(counted.values()) == b.now["udp_received_datagrams"] - before["udp_received_datagrams"]
    assert set(counted) == {"in_not_authentic", "in_replayed"}, counted
    return counted


def hostile(rng: random.Random, good: list[bytes]) -> bytes:
    """Return what an attacker sends who sees all that crosses, and has no key."""
    one = bytearray(rng.choice(good))
    match rng.randrange(6):
        case 0:
            return rng.randbytes(rng.choice((rng.randrange(40), rng.randrange(1600))))
        case 1:
            one[rng.randrange(len(one))] ^= 1 << rng.randrange(8)
        case 2:
            del one[rng.randrange(len(one)) :]
        case 3:
            one += rng.randbytes(rng.randrange(1, 40))
        case 4:
            other = rng.choice(good)
            one[8:] = other[8:] if bytes(one[:8]) != other[:8] else other[9:]
    return bytes(one)


if __name__ == "__main__":
    number, chosen = (*map(int, sys.argv[1:]), *(1_000_000, 17)[len(sys.argv) - 1 :])
    print(attack(number, chosen))
