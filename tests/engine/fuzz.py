"""Hostile datagrams by the million: `python -m tests.engine.fuzz [COUNT] [SEED]`.

Datagrams come as the kernel hands them over, many at once, and go through the real forwarder and the real
fast TUN port up to the system call. They are good packets, the same with bits flipped, cut, lengthened and
shuffled, and noise. For each batch

- nothing raises, and every datagram is written or is exactly one counted drop;
- what is written, merged frames cut again, is a part of what came, byte for byte, in its order (but for ids that
  were all the same, see `counted_on`);
- what is not one IP packet is not written, and what was merged has right checksums.
"""

from __future__ import annotations

import random
import sys
from dataclasses import replace

import numpy as np

from labctl.engine.batches.coalesce import DONT_FRAGMENT
from labctl.engine.batches.split import Splitter
from labctl.engine.batches.tun import BatchTun
from labctl.engine.counters import Counters
from labctl.engine.features import Feature, Features
from labctl.engine.forward import Forwarder
from labctl.engine.packets.address import Address
from labctl.engine.packets.ip import fault
from labctl.engine.packets.routing_loop import OwnDatagrams
from labctl.engine.packets.train import Train
from labctl.engine.packets.vnet import EMPTY, VnetHeader
from labctl.engine.ports import MemoryPort
from labctl.engine.tun import offload as offload_tun
from labctl.engine.udp.offload import MOST_TRAINS

from .oracle import ACK, PSH, TCP, UDP, Segment, is_right, ones_sum
from .samples import PING
from .world import balance


class Written:
    """In place of the module `os`: keeps what the port writes."""

    def __init__(self) -> None:
        self.frames: list[bytes] = []

    def write(self, descriptor: int, frame: memoryview) -> None:
        self.frames.append(bytes(frame))

    def writev(self, descriptor: int, buffers: tuple[bytes, ...]) -> None:
        self.frames.append(b"".join(map(bytes, buffers)))


def batch(random: random.Random, size: int, most: int) -> list[bytes]:
    """A part's packets: all of one size but the last, which may be shorter; up to `most` of them."""
    six = random.random() < 0.4
    whole = Segment(
        b"",
        protocol=random.choice((TCP, UDP)),
        source="fd00::1" if six else "10.0.101.1",
        destination="fd00::2" if six else "10.0.102.1",
        id=random.choice((7, 65534)),
        sequence=random.choice((1, 2**32 - 99)),
        flags=random.choice((ACK, ACK, ACK, ACK | PSH)),
        options=random.choice((b"", bytes(12))),
    )
    step = size - whole.head
    length = most * step if random.random() < 0.5 else random.randint(1, most * step)
    cut = replace(whole, payload=random.randbytes(length)).cut(step)
    packets = [replace(each, zero_udp_checksum=random.random() < 0.05).packet() for each in cut]
    if random.random() < 0.1:
        packets = [PING[:size].ljust(size, b"\0")] * len(packets)
    for at, packet in enumerate(packets):
        if random.random() < 0.1:
            packets[at] = spoilt(random, packet)
    if random.random() < 0.1:
        packets[:-1] = random.sample(packets[:-1], len(packets) - 1)
    return packets


def spoilt(random: random.Random, packet: bytes) -> bytes:
    """The packet with some of its bytes changed; as long as it was."""
    kind = random.randrange(4)
    if kind == 0:
        return random.randbytes(len(packet))
    if kind == 1:
        keep = random.randrange(len(packet))
        return packet[:keep] + random.randbytes(len(packet) - keep)
    changed = bytearray(packet)
    for _ in range(kind):
        changed[random.randrange(min(60, len(packet)))] ^= 1 << random.randrange(8)
    return bytes(changed)


def disguised(random: random.Random, packets: list[bytes]) -> list[bytes]:
    """The packets with one byte of what they say they are changed alike, and every sum as right as it was."""
    at, bits = random.choice((0, 1, 6, 7, 8, 9)), 1 << random.randrange(8)
    changed = [packet[:at] + bytes([packet[at] ^ bits]) + packet[at + 1 :] for packet in packets]
    return [new if old[0] >> 4 == 6 else mended(new) for old, new in zip(packets, changed, strict=True)]


def mended(packet: bytes) -> bytes:
    """An IPv4 packet without options, the checksum of its header made right."""
    right = 0xFFFF ^ ones_sum(packet[:10] + packet[12:20])
    return packet[:10] + right.to_bytes(2) + packet[12:]


def as_train(random: random.Random) -> Train:
    """What the UDP port might give: one train, sometimes with a size that cuts its packets in wrong places, or several.

    Those that come as one are of one size and number, with nothing shorter; what else they are is the sender's affair.
    """
    size, most = random.randint(84, 200), random.choice((1, 2, 3, 4, 8, 20))
    batches = [batch(random, size, most)]
    for _ in range(random.randrange(MOST_TRAINS) if most > 1 else 0):
        batches.append(disguised(random, batches[0]) if random.random() < 0.5 else batch(random, size, most))
    data = b"".join(batches[0])
    if all(len(b"".join(each)) == most * size for each in batches):
        parts = b"".join(map(b"".join, batches))
        return Train(memoryview(parts), size, most * len(batches), len(batches))
    size = min(size, len(data))
    if random.random() < 0.1:
        size = random.randint(max(1, len(data) // 64 + 1), len(data))
    if random.random() < 0.1:
        data = data[: random.randrange(len(data)) + 1]
    size = min(size, len(data))
    return Train(memoryview(data), size, -(-len(data) // size), 1)


def counted_on(run: list[bytes]) -> list[bytes]:
    """A merged run as it comes back: one id for all, which means nothing where DF is set (RFC 6864 4.1), counts on."""
    if run[0][0] >> 4 == 6 or len({packet[4:6] for packet in run}) > 1:
        return run
    assert all(packet[6] & DONT_FRAGMENT for packet in run), "packets that may be fragmented need ids of their own"
    first = int.from_bytes(run[0][4:6])
    return [with_id(packet, (first + number) % 2**16) for number, packet in enumerate(run)]


def with_id(packet: bytes, number: int) -> bytes:
    """An IPv4 packet without options, with another id."""
    return mended(packet[:4] + number.to_bytes(2) + packet[6:])


def fuzz(count: int, seed: int) -> int:
    """Send this many datagrams through; returns how many frames were merged ones."""
    chance = random.Random(seed)
    tun, peer, counters = BatchTun(-1), MemoryPort(), Counters.anonymous()
    tun.features = Features()
    tun.features.engage(~Feature(0))
    own = OwnDatagrams.between(Address("10.0.1.1", 9), Address("10.0.2.1", 9))
    forwarder = Forwarder(tun, peer, peer, names=("tun0", "peer"), own=own, counters=counters)
    splitter = Splitter(memoryview(bytearray(1 << 17)))
    written = Written()
    real = vars(offload_tun)["os"]
    vars(offload_tun)["os"] = written
    done = merged = 0
    try:
        while done < count:
            train = as_train(chance)
            came = [bytes(each) for each in train.packets()]
            peer.arrive(train)
            forwarder.peer_to_tun()
            right = [packet for packet in came if not fault(packet)]
            went: list[bytes] = []
            for frame in written.frames:
                if frame.startswith(EMPTY):
                    went.append(frame[10:])
                    continue
                merged += 1
                frames = np.frombuffer(frame, np.uint8)[None, 10:]
                cut = [bytes(each) for each in splitter.split(frames, VnetHeader.read(frame))[0].packets()]
                assert all(map(is_right, cut)), (seed, done)
                run = slice(len(went), len(went) + len(cut))
                right[run] = counted_on(right[run])
                went += cut
            assert went == right, (seed, done)
            written.frames.clear()
            done += len(came)
        assert balance(counters)["udp_received_packets"] == done
    finally:
        vars(offload_tun)["os"] = real
        peer.close()
    return merged


if __name__ == "__main__":
    arguments = [int(each) for each in sys.argv[1:]]
    number, seed = (*arguments, *(1_000_000, random.randrange(2**32))[len(arguments) :])
    print(f"{number} hostile datagrams, seed {seed}")
    print(f"all accounted for; {fuzz(number, seed)} merged frames were cut again into what came")
