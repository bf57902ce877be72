"""What a lab would not see of its packets with another tunnel: `python -m benchmarks.hidden`; as root.

One TCP stream, a few packets of a stranger, and a few pings to a peer that has ended, each asked for afterwards: what
the counters of `tun0` say, and what those of our engine do.
"""

from __future__ import annotations

import json
import os
import socket
import struct
import sys
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.__main__ import standing
from benchmarks.contenders import CONTENDERS, ENGINE, PORT, SITES, Contender
from benchmarks.loads import tcp
from benchmarks.world import INNER, INSIDE, WIRE, Failed, Pair, enter
from labctl.engine.counters import Counters
from labctl.engine.packets.ip import UDP, checksum

STRANGER, SENT = "192.0.2.77", 5
_SEND = "import socket, sys; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind((sys.argv[1], 0))\n"
_SEND += "for _ in range(int(sys.argv[4])): s.sendto(bytes.fromhex(sys.argv[5]), (sys.argv[2], int(sys.argv[3])))"


def look(contender: Contender) -> list[str]:
    """Return a row: the packets of a stream at both interfaces, what came of a stranger's, and without a peer."""
    with standing(contender, 1500) as pair:
        devices = ("tun0", "wan0")
        before = [_counted(pair, device, "tx") for device in devices]
        tcp(pair, contender, 1)
        stream = []
        for device, began in zip(devices, before, strict=True):
            packets, size = (now - then for now, then in zip(_counted(pair, device, "tx"), began, strict=True))
            stream.append(f"{packets:,} of {size // packets:,} bytes")
        strangers = _of_a_stranger(pair, contender)
        return [contender.name, *stream, strangers, _without_a_peer(pair)]


def _counted(pair: Pair, device: str, way: str) -> tuple[int, int]:
    """Return the packets and bytes that an interface of site a has counted, `rx` or `tx`."""
    (link,) = json.loads(pair.run("a", "ip", "-json", "-statistics", "link", "show", device))
    told = link["stats64"][way]
    return told["packets"], told["bytes"]


def _of_a_stranger(pair: Pair, contender: Contender) -> str:
    pair.ip("b", f"addr add {STRANGER}/32 dev lo")
    pair.ip("a", f"route add {STRANGER}/32 dev wan0")
    ends = (socket.inet_aton(INNER.b), socket.inet_aton(INNER.a))
    head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 28, 1, 0, 64, UDP, 0, *ends)
    packet, port = head[:10] + checksum(head).to_bytes(2) + head[12:] + struct.pack("!HHHH", 7, 7, 8, 0), PORT
    if contender.name == "vxlan":
        (link,) = json.loads(pair.run("a", "ip", "-json", "link", "show", "tun0"))
        frame = bytes.fromhex(link["address"].replace(":", "")) + b"\2\0\0\0\0\1\x08\0"
        packet, port = struct.pack("!II", 1 << 27, 1 << 8) + frame + packet, "4789"
    before, _ = _counted(pair, "tun0", "rx")
    pair.run("b", sys.executable, "-c", _SEND, STRANGER, WIRE.a, port, str(SENT), packet.hex())
    time.sleep(0.3)
    came = _counted(pair, "tun0", "rx")[0] - before
    return f"{min(came, SENT)} of {SENT} came in"  # with the last of the stream, or of ARP, there are more


def _without_a_peer(pair: Pair) -> str:
    others = pair.running
    for pid in others[len(others) // 2 :]:  # that of b was started after that of a
        os.kill(pid, 15)
    if not others:
        pair.ip("b", "link del tun0")
    time.sleep(0.3)
    try:
        before, _ = _counted(pair, "tun0", "tx")
        pair.run("a", "sh", "-c", f"ping -c {SENT} -i 0.05 -W 0.1 {INNER.b} || true")
        return f"{_counted(pair, 'tun0', 'tx')[0] - before} counted as sent"
    except Failed:
        return "ended, and tun0 with it"


def ours(path: Path) -> Contender:
    """Return our engine with its counters in a file for site a."""

    def start(pair: Pair) -> None:
        for site, local, remote in SITES:
            pair.ip(site, "tuntap add dev tun0 mode tun", f"link set tun0 mtu {pair.tunnel_mtu}")
            pair.start(site, *ENGINE, "tun0", local, PORT, remote, PORT, "--counters", f"{path}-{site}")

    return Contender("labctl", start)


def main() -> int:
    """Show it as a table, with what the engine says itself; return 0."""
    if INSIDE not in os.environ:
        return enter([sys.executable, "-m", "benchmarks.hidden"])
    path = Path("/run/counters")
    table = Table("", "packets at tun0", "at wan0", "of a stranger", "peer has ended")
    for contender in (ours(path), *(each for each in CONTENDERS if each.name in ("socat", "vxlan", "fou"))):
        try:
            table.add_row(*look(contender))
        except Failed as error:
            table.add_row(contender.name, f"not here: {str(error).splitlines()[0].rpartition(': ')[2]}")
    console = Console(highlight=False)
    console.print(table)
    with Counters.open(Path(f"{path}-a")) as counters:
        console.print({name: number for name, number in counters.snapshot().items() if number})
    return 0


if __name__ == "__main__":
    sys.exit(main())
