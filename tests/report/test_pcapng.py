"""A pcapng file, read block by block, and by scapy."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from scapy.utils import RawPcapNgReader

from labctl.kernel.packet_taps import PacketType, Seen
from labctl.report.pcapng import PcapngWriter

packets = st.builds(
    Seen,
    at=st.integers(0, 2**63),
    namespace=st.sampled_from(["siteA", "siteB"]),
    interface=st.sampled_from(["tun0", "wan0"]),
    kind=st.sampled_from(PacketType),
    ethernet=st.booleans(),
    length=st.integers(0, 70000),
    frame=st.binary(max_size=90),
)
comments = st.text(max_size=40)


def written(seen: list[tuple[Seen, str]]) -> bytes:
    file = io.BytesIO()
    writer = PcapngWriter(file.write, lambda ref: f"in {ref.namespace}", "a comment")
    for packet, comment in seen:
        writer.packet(packet, comment)
    return file.getvalue()


def blocks(data: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at < len(data):
        kind, length = struct.unpack_from("=II", data, at)
        assert length % 4 == 0 and struct.unpack_from("=I", data, at + length - 4) == (length,)
        yield kind, data[at + 8 : at + length - 4]
        at += length


def options(data: bytes) -> dict[int, bytes]:
    found, at = {}, 0
    while (code := struct.unpack_from("=H", data, at)[0]) != 0:
        (length,) = struct.unpack_from("=H", data, at + 2)
        found[code] = data[at + 4 : at + 4 + length]
        at += 4 + (length + 3) // 4 * 4
    return found


@given(st.lists(st.tuples(packets, comments), max_size=6))
def test_every_packet_is_there_with_its_interface(seen: list[tuple[Seen, str]]) -> None:
    section, *rest = blocks(written(seen))
    assert section[0] == 0x0A0D0D0A and options(section[1][16:])[1] == b"a comment"
    interfaces = [body for kind, body in rest if kind == 1]
    found = [body for kind, body in rest if kind == 6]
    assert len(found) == len(seen)
    for body, (packet, comment) in zip(found, seen, strict=True):
        number, high, low, captured, length = struct.unpack_from("=IIIII", body)
        (link,) = struct.unpack_from("=H", interfaces[number])
        told = options(interfaces[number][8:])
        assert (told[2].decode(), told[3].decode(), told[9]) == (str(packet.ref), f"in {packet.namespace}", b"\x09")
        assert link == (1 if packet.ethernet else 101)
        assert (high << 32 | low, captured, length) == (packet.at, len(packet.frame), packet.length)
        assert body[20 : 20 + captured] == packet.frame
        mine = options(body[20 + (captured + 3) // 4 * 4 :])
        assert mine[2][0] & 3 == (2 if packet.outgoing else 1)
        assert mine.get(1, b"").decode() == comment


def test_scapy_reads_the_times_in_nanoseconds(tmp_path: Path) -> None:
    packet = Seen(1_700_000_000_123_456_789, "siteA", "wan0", PacketType.HOST, True, 60, bytes(60))
    (tmp_path / "seen.pcapng").write_bytes(written([(packet, "")]))
    reader: Any = RawPcapNgReader(str(tmp_path / "seen.pcapng"))
    ((frame, told),) = reader
    assert frame == bytes(60) and (told.tshigh << 32 | told.tslow, told.tsresol) == (packet.at, 10**9)


def test_a_file_whose_name_is_not_utf_8_is_named_as_far_as_it_can_be() -> None:
    blocks: list[bytes] = []
    PcapngWriter(blocks.append, str, "tshark -r \udcdcbung.pcapng")
    assert b"tshark -r ?bung.pcapng" in blocks[0]
