"""Who is measured: ways to carry packets from one site to the other.

A contender is started in a `Pair` and makes `tun0` at both sites. `needs` are the programs that it takes;
where one is missing, the contender is, too, and the report says so.
"""

from __future__ import annotations

import secrets
import shutil
import socket
import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from benchmarks.world import INNER, WIRE, Ends, Pair, Site, wait_for
from labctl.engine.cable import control as cable_control
from labctl.engine.cable.counters import CableCounters
from labctl.engine.cable.forward import Plug
from labctl.engine.packets.address import Address

PORT = "9000"
SITES: tuple[tuple[Site, str, str], ...] = (("a", WIRE.a, WIRE.b), ("b", WIRE.b, WIRE.a))
ENGINE = (sys.executable, "-m", "labctl.engine.ttun")


@dataclass(frozen=True)
class Contender:
    """One way, and where the other site is found through it."""

    name: str
    start: Callable[[Pair], None]
    needs: tuple[str, ...] = ()
    ends: Ends = INNER
    only_1500: bool = False

    @property
    def missing(self) -> list[str]:
        """The programs that it takes and that are not installed."""
        return [program for program in self.needs if not shutil.which(program)]


def start_nothing(pair: Pair) -> None:
    """The bare wire: the limit."""


def start_vxlan(pair: Pair) -> None:
    """The kernel's own tunnel."""
    for site, local, remote in SITES:
        pair.ip(site, f"link add tun0 type vxlan id 1 local {local} remote {remote} dstport 4789 dev wan0")


def start_fou(pair: Pair) -> None:
    """The kernel's IPIP in UDP (FOU, `ip fou help`): for IPv4 the datagrams of our engine, without a TUN device."""
    for site, local, remote in SITES:
        link = f"link add tun0 type ipip local {local} remote {remote} ttl 64"
        pair.ip(site, f"fou add port {PORT} ipproto 4", f"{link} encap fou encap-sport {PORT} encap-dport {PORT}")


def start_labctl(pair: Pair, *options: str, **environment: str) -> None:
    """Our engine, as the command `ttun`, on devices that are there with their MTU, as labctl makes them."""
    for site, local, remote in SITES:
        pair.ip(site, "tuntap add dev tun0 mode tun", f"link set tun0 mtu {pair.tunnel_mtu}")
        pair.start(site, *ENGINE, "tun0", local, PORT, remote, PORT, *options, **environment)


def start_labctl_python(pair: Pair) -> None:
    """Our engine with the core in Python, as where labctl was installed without a compiler."""
    start_labctl(pair, LABCTL_CORE="python")


def start_labctl_plain(pair: Pair) -> None:
    """Our engine, one packet at a time."""
    start_labctl(pair, "--no-offload")


def start_socat(pair: Pair) -> None:
    """A relay in C; the same packets on the wire."""
    for site, local, remote in SITES:
        tun = "TUN,tun-name=tun0,tun-type=tun,iff-no-pi"
        pair.start(site, "socat", "-b", "65536", tun, f"UDP:{remote}:{PORT},bind={local}:{PORT}")
    # It ends with the first ICMP error, so nothing may be sent before both are there.
    for site, _, _ in SITES:
        wait_for(lambda site=site: PORT in pair.run(site, "ss", "-aun"), "socat")  # type: ignore[misc]


def start_fastd(pair: Pair) -> None:
    """fastd with the method `null`: a handshake, but no encryption."""
    keys = {site: dict(_fastd_key(pair)) for site, _, _ in SITES}
    for site, local, remote in SITES:
        path = _directory() / "fastd.conf"
        path.write_text(
            f'mode tun; interface "tun0"; method "null"; bind {local}:{PORT}; mtu 1400;\n'
            f'secret "{keys[site]["Secret"]}";\n'
            f'peer "other" {{ key "{keys[_other(site)]["Public"]}"; remote {remote}:{PORT}; }}\n'
        )
        pair.start(site, "fastd", "--config", str(path))


def _fastd_key(pair: Pair) -> list[tuple[str, str]]:
    lines = pair.run("a", "fastd", "--generate-key").splitlines()
    return [(name, value.strip()) for name, _, value in (line.partition(":") for line in lines) if value]


def start_tinc(pair: Pair) -> None:
    """tinc 1.0 without cipher and digest, over UDP."""
    directories = {site: _directory() for site, _, _ in SITES}
    for site, _, _ in SITES:
        directory, other = directories[site], _other(site)
        (directory / "hosts").mkdir()
        connect = f"ConnectTo = {other}\n" if site == "a" else ""
        (directory / "tinc.conf").write_text(f"Name = {site}\nInterface = tun0\nAddressFamily = ipv4\n{connect}")
    for site, local, _ in SITES:
        directory, inner = directories[site], INNER.a if site == "a" else INNER.b
        host = directory / "hosts" / site
        host.write_text(f"Address = {local}\nSubnet = {inner}/32\nCipher = none\nDigest = none\n")
        pair.run(site, "sh", "-c", f"tincd -c {directory} -K2048 < /dev/null")
    for site, _, _ in SITES:
        shutil.copy(directories[site] / "hosts" / site, directories[_other(site)] / "hosts" / site)
    for site, _, _ in reversed(SITES):
        pair.start(site, "tincd", "-c", str(directories[site]), "-D", f"--pidfile={directories[site]}/pid")


def start_wireguard_go(pair: Pair) -> None:
    """wireguard-go; encrypted."""
    secret = {site: secrets.token_bytes(32) for site, _, _ in SITES}
    for site, _, remote in SITES:
        # Its control socket has a fixed place, so each gets a /run of its own.
        run = _directory()
        pair.start(
            site,
            "unshare", "--mount", "sh", "-c",
            f"mount --bind {run} /run && mkdir /run/wireguard && exec wireguard-go -f tun0",
        )  # fmt: skip
        control = run / "wireguard" / "tun0.sock"
        wait_for(control.exists, "wireguard-go")
        public = x25519(secret[_other(site)], (9).to_bytes(32, "little")).hex()
        with socket.socket(socket.AF_UNIX) as uapi:
            uapi.connect(str(control))
            uapi.sendall(
                f"set=1\nprivate_key={secret[site].hex()}\nlisten_port={PORT}\npublic_key={public}\n"
                f"endpoint={remote}:{PORT}\nallowed_ip=0.0.0.0/0\nallowed_ip=::/0\n\n".encode()
            )
            uapi.recv(1024)


def start_cable(pair: Pair) -> None:
    """A cable between hosts: Ethernet frames of a TAP device, sealed with AES-256-GCM."""
    directory, key = _directory(), secrets.token_bytes(32)
    for site, local, _ in SITES:
        pair.ip(site, "tuntap add dev tun0 mode tap")
        words = ("tun0", "/proc/self/ns/net", local, "a-b", site, _other(site), str(directory))
        pair.start(site, sys.executable, "-m", "benchmarks.cable_end", *words)
    counters = {site: directory / f"{site}.counters" for site, _, _ in SITES}
    wait_for(lambda: all(map(_port_of, counters.values())), "both ends")
    for site, _, remote in SITES:
        plug = Plug(Address(remote, _port_of(counters[_other(site)])), key)
        cable_control.plug(directory / f"{site}.control", plug)


def _port_of(counters: Path) -> int:
    with suppress(OSError), CableCounters.open(counters) as found:
        return found.snapshot()["port"]
    return 0


def x25519(scalar: bytes, point: bytes) -> bytes:
    """RFC 7748 5, the Montgomery ladder; for throw-away keys only."""
    prime = 2**255 - 19
    number = int.from_bytes(scalar, "little") & ~7 & ~(1 << 255) | 1 << 254
    x1 = int.from_bytes(point, "little") & ~(1 << 255)
    x2, z2, x3, z3 = 1, 0, x1, 1
    for at in reversed(range(255)):
        bit = number >> at & 1
        if bit:
            x2, x3, z2, z3 = x3, x2, z3, z2
        a, b, c, d = x2 + z2, x2 - z2, x3 + z3, x3 - z3
        da, cb, aa, bb = d * a, c * b, a * a, b * b
        x3, z3 = (da + cb) ** 2 % prime, x1 * (da - cb) ** 2 % prime
        e = aa - bb
        x2, z2 = aa * bb % prime, e * (aa + 121665 * e) % prime
        if bit:
            x2, x3, z2, z3 = x3, x2, z3, z2
    return (x2 * pow(z2, prime - 2, prime) % prime).to_bytes(32, "little")


def _other(site: Site) -> Site:
    return "b" if site == "a" else "a"


def _directory() -> Path:
    """A new directory on the private /run, which goes with the benchmark."""
    return Path(tempfile.mkdtemp(dir="/run"))


CONTENDERS = (
    Contender("labctl", start_labctl),
    Contender("labctl-python", start_labctl_python),
    Contender("labctl-no-offload", start_labctl_plain),
    Contender("socat", start_socat, needs=("socat",)),
    Contender("cable", start_cable),
    Contender("vxlan", start_vxlan),
    Contender("fou", start_fou),
    Contender("veth", start_nothing, ends=WIRE),
    Contender("fastd", start_fastd, needs=("fastd",), only_1500=True),
    Contender("tinc", start_tinc, needs=("tincd",), only_1500=True),
    Contender("wireguard-go", start_wireguard_go, needs=("wireguard-go",), only_1500=True),
)
