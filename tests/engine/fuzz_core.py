"""The two cores side by side: `python -m tests.engine.fuzz_core [COUNT] [SEED] [LIBRARY]`.

The same frames and datagrams, good and hostile, go through a forwarder with the core in C and through one in Python,
and their sends and writes are refused alike. After each, the same packets have left, in the same order and the same
merged frames, and every counter, the offloads that are engaged and what was said of them are the same. Only where C
left packets to Python may the frames be others: without numpy nothing is merged, so these are written one by one. Half
of the time one direction is impaired, without an effect, so that Python has it and the core has the other.
"""

from __future__ import annotations

import errno
import random
import sys
import tempfile
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from labctl.engine.packets.impairment import Impairment
from labctl.engine.packets.split import split
from labctl.engine.packets.vnet import EMPTY, LAYOUT, NEEDS_CSUM, VnetHeader
from labctl.engine.packets.vnet import SIZE as VNET

from .core_rig import CoreRig, compile_faulty
from .fuzz import as_train, mended, spoilt
from .oracle import ACK, CWR, FIN, PSH, TCP, UDP, Segment, ones_sum
from .samples import PING, ipv4, ipv6, udp
from .world import balanced

T = TypeVar("T")

HARMLESS = Impairment(loss=1e-300, seed=1)
"""With it Python handles the packets of a direction, one by one, and loses none."""

REFUSALS = (
    *(errno.ECONNREFUSED, errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EMSGSIZE, errno.EAGAIN, errno.ENOBUFS),
    *(errno.EIO, errno.EINVAL, errno.EPERM, errno.EBADFD, errno.EINTR),
)


def segment(chance: random.Random, most: int = 9000) -> Segment:
    """A TCP or UDP packet or superframe of any kind."""
    six = chance.random() < 0.4
    protocol = chance.choice((TCP, TCP, UDP))
    payload = chance.randbytes(chance.choice((0, 1, 2, 99, chance.randrange(1, most))))
    if protocol == UDP and chance.random() < 0.2:
        payload = inner(chance) + payload[: chance.choice((0, 0, 500))]
    return Segment(
        payload,
        protocol=protocol,
        source="fd00::1" if six else "10.0.101.1",
        destination="fd00::2" if six else "10.0.102.1",
        ports=chance.choice(((40000, 5201), (9000, 9000))),
        id=chance.choice((7, 65530)),
        sequence=chance.choice((1, 2**32 - 2000)),
        flags=chance.choice((ACK, ACK, ACK | PSH, ACK | FIN | PSH, ACK | CWR, ACK | CWR | PSH)),
        options=bytes([1] * chance.choice((0, 12, 40))),
    )


def inner(chance: random.Random) -> bytes:
    """A packet that another carries, perhaps the endpoint's own."""
    own = udp(9000, 9000, PING)
    return chance.choice(
        (
            PING,
            ipv4("10.0.1.1", "10.0.2.1", UDP, own),
            ipv4("10.0.1.9", "10.0.2.1", UDP, own),
            ipv6("::1", "::2", 17, own),
        )
    )


def frame(chance: random.Random) -> bytes:
    """What the device might hand over, virtio header first."""
    kind = chance.randrange(6)
    if kind == 0:
        packet = chance.choice((PING, inner(chance), segment(chance, 1400).packet()))
        return EMPTY + (spoilt(chance, packet) if chance.random() < 0.3 else packet)
    if kind == 1:
        whole = segment(chance, 1400)
        header, packet = whole.header(0)._replace(gso_type=0), whole.packet(partial=True)
    else:
        whole = segment(chance)
        least = max(1, len(whole.payload) // 150)
        header, packet = whole.header(chance.choice((least, 333, 1000, 1348, 8000))), whole.packet(partial=True)
    if chance.random() < 0.1:
        packet = spoilt(chance, packet)
    if chance.random() < 0.05:
        packet = packet[: chance.randrange(len(packet))]
    if chance.random() < 0.05:
        packet = marked(packet, chance.randrange(4))
    if chance.random() < 0.1:
        wrong = chance.choice((0, 1, 3, 5, 19, 20, 21, 40, 44, 65535))
        header = header._replace(**{chance.choice(("gso_size", "csum_start", "csum_offset")): wrong})
    if chance.random() < 0.05:
        header = header._replace(gso_type=chance.choice((0, 1, 3, 4, 5, 0x81)), flags=chance.choice((0, NEEDS_CSUM)))
    return LAYOUT.pack(*header) + packet


def marked(packet: bytes, ecn: int) -> bytes:
    """A packet with another ECN field, its header's checksum right."""
    if packet and packet[0] >> 4 == 6:
        return packet[:1] + bytes([ecn << 4]) + packet[2:]
    return mended(packet[:1] + bytes([ecn]) + packet[2:]) if len(packet) >= 20 else packet


def datagrams(chance: random.Random, whole_only: bool) -> list[tuple[bytes, int]]:
    """What the peer might send, in trains of packets of a size; if `whole_only`, packets of one kind without damage."""
    if whole_only or chance.random() < 0.4:
        whole = replace(segment(chance, 30000), flags=chance.choice((ACK, ACK | PSH)))
        step = chance.choice((max(1, len(whole.payload) // 60), 500, 1348))
        packets = [each.packet() for each in varied(chance, whole.cut(step)[:60] or [whole])]
        if not whole_only and chance.random() < 0.5:
            at, byte = chance.randrange(len(packets)), chance.randrange(whole.head)
            packets[at] = flipped(packets[at], byte, chance.randrange(8))
        if not whole_only and chance.random() < 0.3:
            at = chance.randrange(len(packets))
            packets[at] = spoilt(chance, packets[at])
        if not whole_only and chance.random() < 0.2:
            packets[-1] = ipv4("10.0.101.1", "10.0.102.1", whole.protocol, bytes(chance.randrange(20)))
            packets[-1] = packets[-1][: len(packets[0])]
        return [(b"".join(packets), len(packets[0]))]
    if chance.random() < 0.1:
        return [(chance.choice((b"", PING, chance.randbytes(chance.randrange(100)))), 0)]
    train = as_train(chance)
    each = train.number // train.parts
    return [(bytes(train.part(at, each).data), train.size) for at in range(0, train.number, each)]


def varied(chance: random.Random, run: list[Segment]) -> list[Segment]:
    """The packets of a superframe, perhaps with what keeps some of them from being merged again."""
    if chance.random() < 0.3:
        step = chance.choice((0, 0, 1))
        fragment = chance.choice((0, 0x4000))
        turn = chance.choice((len(run), chance.randrange(len(run) + 1)))
        ids = [
            run[0].id + (at if at < turn else turn) * step + max(0, at - turn) * (1 - step) for at in range(len(run))
        ]
        run = [replace(each, id=id % 2**16, fragment=fragment) for each, id in zip(run, ids, strict=True)]
    if chance.random() < 0.2:
        at = chance.randrange(len(run))
        run[at] = replace(run[at], flags=chance.choice((ACK | PSH, ACK | FIN, ACK | CWR)))
    return run


def flipped(packet: bytes, at: int, bit: int) -> bytes:
    """A TCP or UDP packet with one bit of its headers changed, every checksum right that does not hold that bit."""
    l4, check = (20 if packet[0] >> 4 == 4 else 40), 16
    protocol = packet[9 if l4 == 20 else 6]
    if protocol == UDP:
        check = 6
    changed = bytearray(packet)
    changed[at] ^= 1 << bit
    if l4 == 20 and at not in (10, 11):
        changed = bytearray(mended(bytes(changed)))
    if at - l4 not in (check, check + 1):
        changed[l4 + check : l4 + check + 2] = bytes(2)
        pseudo = changed[12 if l4 == 20 else 8 : l4] + (len(packet) - l4).to_bytes(4) + bytes((0, 0, 0, protocol))
        changed[l4 + check : l4 + check + 2] = (0xFFFF - ones_sum(bytes(pseudo + changed[l4:]))).to_bytes(2)
    return bytes(changed)


def fuzz(count: int, seed: int, faulty: Path) -> tuple[int, int, int]:
    """Compare the cores on this many frames and trains; return how many packets went out, in, and what was left."""
    chance = random.Random(seed)
    with closing(CoreRig("c", faulty)) as c, closing(CoreRig("python")) as python:
        both, unmerged = (c, python), 0
        for done in range(count):
            out, left = chance.random() < 0.5, c.left
            faults = refusals(chance, out) if chance.random() < 0.1 else []
            for rig in both:
                rig.faults.clear()
                rig.faults.extend(faults)
            if out:
                # Which of many frames go with one call is up to the core, so they are not refused.
                frames = [frame(chance) for _ in range(1 if faults else chance.choice((1, 2, 7)))]
                for rig in both:
                    for each in frames:
                        rig.device.send(each)
                    rig.turn()
                same(c.sent_marked(), python.sent_marked(), f"datagrams, seed {seed}, {done}")
            else:
                # Of a train that Python begins in the middle, the first packet is another, perhaps of another kind; and
                # it writes every packet of one that is marked.
                tos = chance.choice((0, 0, 0, 0, 2) if faults else (0, 0, 0, 0, 1, 2, 3))
                for data, size in datagrams(chance, bool(faults)):
                    for rig in both:
                        rig.far.setsockopt(0, 1, tos)
                        rig.arrive(data, size)
                        rig.turn()
                    frames, theirs = c.written(), python.written()
                    if c.left > left:
                        unmerged += len(frames) - len(theirs)
                        frames, theirs = packets_of(frames), packets_of(theirs)
                    same(frames, theirs, f"frames, seed {seed}, {done}")
            now, others = c.counters.snapshot(), python.counters.snapshot()
            assert balanced(now), (seed, done, now)
            others["tun_written_frames"] += unmerged
            same(now, others, f"counters, seed {seed}, {done}")
            same(c.features.now, python.features.now, f"features, seed {seed}, {done}")
            same(c.lines, python.lines, f"lines, seed {seed}, {done}")
            if done % 50 == 49:
                for rig in both:
                    rig.features.engage(~rig.features.now)
                    for number, stage in enumerate(rig.forwarder.stages.values()):
                        stage.change(HARMLESS if done // 50 % 4 == number else Impairment())
        return now["udp_sent_packets"], now["tun_written_packets"], c.left


def refusals(chance: random.Random, out: bool) -> list[int]:
    """What the next sends or writes are refused for. Of writes only one is: the cores do not make the same."""
    if out:
        return [chance.choice((0, chance.choice(REFUSALS))) for _ in range(8)]
    return [*[0] * chance.randrange(8), chance.choice(REFUSALS)]


def packets_of(frames: list[bytes]) -> list[bytes]:
    """The packets of frames, without their IPv4 id where it means nothing: one that stays the same is not merged."""
    packets: list[bytes] = []
    for frame in frames:
        header, packet = VnetHeader.read(frame), frame[VNET:]
        packets.extend(map(bytes, split(packet, header).packets()) if header.gso_type else [packet])
    return [
        each[:4] + bytes(2) + each[6:10] + bytes(2) + each[12:] if each[0] >> 4 == 4 and each[6] & 0x40 else each
        for each in packets
    ]


def same(ours: T, theirs: T, what: str) -> None:
    """Fail with what differs."""
    assert ours == theirs, what


if __name__ == "__main__":
    given = sys.argv[1:]
    number = int(given[0]) if given else 100_000
    seed = int(given[1]) if len(given) > 1 else random.randrange(2**32)
    print(f"{number} frames and trains through both cores, seed {seed}")
    with tempfile.TemporaryDirectory() as made:
        out, into, left = fuzz(number, seed, Path(given[2]) if len(given) > 2 else compile_faulty(Path(made)))
    print(
        f"the same packets, frames and counters: {out} packets out, {into} in; C left {left} times something to Python"
    )
