"""Two network namespaces as two hosts, each with one as a lab, and a cable between the labs.

labA wan0 .1 --- engine --- hostA eth0 192.0.2.1 ===== 192.0.2.2 eth0 hostB --- engine --- wan0 .2 labB
     10.9.0.0/24, 2001:db8:9::/64
"""

from __future__ import annotations

import secrets
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from labctl.engine.cable import control
from labctl.engine.cable.counters import DROPS_IN, CableCounters
from labctl.engine.cable.forward import Plug
from labctl.engine.cable.line import State
from labctl.engine.packets.address import Address
from tests.engine.world import Namespace, wait_for

CABLE = "siteA:wan0-siteB:wan0"
NAMES = ("siteA:wan0", "siteB:wan0")


class End:
    """One end: its host, its lab and its engine."""

    def __init__(self, number: int, directory: Path, outside: str) -> None:
        self.number = number
        self.host, self.lab = Namespace(), Namespace()
        self.name, self.other_name = NAMES[number - 1], NAMES[2 - number]
        self.outside, self.inside = outside.format(number), f"10.9.0.{number}"
        self._directory = directory
        self.lab.ip("tuntap add dev wan0 mode tap", f"addr add {self.inside}/24 dev wan0", "link set wan0 up")

    def start(self) -> None:
        """Start an engine, which is joined with nothing yet."""
        self.counters_path.unlink(missing_ok=True)
        where = f"/proc/{self.lab.pid}/ns/net"
        words = ("wan0", where, self.outside, CABLE, self.name, self.other_name, str(self._directory))
        self.engine: subprocess.Popen[str] = self.host.start(sys.executable, "-m", "benchmarks.cable_end", *words)
        wait_for(lambda: self.engine.poll() is not None or (self.counters_path.exists() and self.port), "the engine")
        assert self.engine.poll() is None, self.engine.communicate()

    def start_again(self) -> None:
        """Start another engine in place of the one that runs, or ran."""
        self.engine.kill()
        self.engine.wait()
        self.start()

    @property
    def counters_path(self) -> Path:
        return self._directory / f"{self.name}.counters"

    @property
    def control_path(self) -> Path:
        return self._directory / f"{self.name}.control"

    @property
    def now(self) -> dict[str, int]:
        """Its counters."""
        with CableCounters.open(self.counters_path) as counters:
            return counters.snapshot()

    @property
    def port(self) -> int:
        return self.now["port"]

    @property
    def carrier(self) -> bool:
        """Whether the device has one, as the kernel says."""
        return "NO-CARRIER" not in self.lab.shell("ip link show wan0")

    def plug(self, other: End, key: bytes) -> None:
        """Join this end with the other."""
        control.plug(self.control_path, Plug(Address(other.outside, other.port), key))

    def refused(self) -> dict[str, int]:
        """What it has not delivered of what came, by reason."""
        return {name: number for name, number in self.now.items() if name in DROPS_IN and number}

    def ping(self, count: int = 3, *options: str) -> bool:
        """Whether the other end answers every request."""
        return self.lab.ping(f"10.9.0.{3 - self.number}", count, *options)

    def close(self) -> None:
        self.lab.close()
        self.host.close()


class Pair:
    """Both ends, and the wire between their hosts."""

    def __init__(self, directory: Path, outside: str) -> None:
        self.a, self.b = self.ends = End(1, directory, outside), End(2, directory, outside)
        a, b = self.a.host, self.b.host
        for host in (a, b):
            host.shell("echo 0 > /proc/sys/net/ipv6/conf/default/disable_ipv6")
        a.ip(f"link add eth0 type veth peer name eth0 netns {b.pid}")
        for end in self.ends:
            address = f"{end.outside}/64 dev eth0 nodad" if ":" in outside else f"{end.outside}/24 dev eth0"
            end.host.ip("link set eth0 up", f"addr add {address}")

    def start(self) -> None:
        """Start both engines and join them."""
        for end in self.ends:
            end.start()
        self.plug()

    def plug(self) -> bytes:
        """Join both ends with a new key, and wait for the carrier. Return the key."""
        key = secrets.token_bytes(32)
        self.a.plug(self.b, key)
        self.b.plug(self.a, key)
        self.wait_until_up()
        return key

    def wait_until_up(self) -> None:
        for end in self.ends:
            wait_for(lambda end=end: end.now["state"] == State.UP and end.carrier, "the carrier")  # type: ignore[misc]

    def mtu(self, wire: int) -> None:
        """Set the MTU of the wire between the hosts."""
        for end in self.ends:
            end.host.ip(f"link set eth0 mtu {wire}")

    def inner_mtu(self, mtu: int) -> None:
        for end in self.ends:
            end.lab.ip(f"link set wan0 mtu {mtu}")


@contextmanager
def pair(directory: Path, outside: str = "192.0.2.{}") -> Iterator[Pair]:
    """Yield two ends that are joined; their hosts have the addresses `outside` with their numbers, 1 and 2."""
    made = Pair(directory, outside)
    try:
        made.start()
        yield made
    finally:
        for end in made.ends:
            end.close()
