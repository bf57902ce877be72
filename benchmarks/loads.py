"""What is measured through a tunnel that stands, and by which program."""

from __future__ import annotations

import json
import re
import statistics
from collections.abc import Callable
from dataclasses import dataclass

from benchmarks import cpu
from benchmarks.contenders import Contender
from benchmarks.world import INNER6, Failed, Pair, wait_for

WIRE6 = "fd00:8::2"


@dataclass(frozen=True)
class Row:
    """One figure of the report."""

    name: str
    unit: str
    better: str
    wire_mtu: int
    tunnel_mtu: int
    measure: Callable[[Pair, Contender, float], float]
    # Who takes part; nobody named means everybody who can at this MTU.
    among: tuple[str, ...] = ()

    def has(self, contender: Contender) -> bool:
        """Whether this contender takes part."""
        if self.among and contender.name not in self.among:
            return False
        return self.wire_mtu == 1500 or not contender.only_1500


def tcp(pair: Pair, contender: Contender, seconds: float) -> float:
    """Gbit/s of one TCP stream, as received."""
    return _iperf(pair, contender.ends.b, seconds)["sum_received"]["bits_per_second"] / 1e9


def tcp6(pair: Pair, contender: Contender, seconds: float) -> float:
    """The same with IPv6 inside."""
    target = WIRE6 if contender.name == "veth" else INNER6.b
    return _iperf(pair, target, seconds)["sum_received"]["bits_per_second"] / 1e9


def tcp_of_four(pair: Pair, contender: Contender, seconds: float) -> float:
    """Gbit/s of four TCP streams together, as received."""
    return _iperf(pair, contender.ends.b, seconds, "--parallel", "4")["sum_received"]["bits_per_second"] / 1e9


def cpu_per_gb(pair: Pair, contender: Contender, seconds: float) -> float:
    """The CPU seconds that both ends of the tunnel use for 10^9 bytes of one TCP stream."""
    ends = pair.running
    before = cpu.used(ends)
    received = _iperf(pair, contender.ends.b, seconds)["sum_received"]["bytes"]
    return (cpu.used(ends) - before) / received * 1e9


def udp(pair: Pair, contender: Contender, seconds: float) -> float:
    """Thousands of 64-byte datagrams that arrive in a second, from a sender that does not wait."""
    total = _iperf(pair, contender.ends.b, seconds, "--udp", "--bandwidth", "0", "--length", "64")["sum"]
    return (total["packets"] - total["lost_packets"]) / total["seconds"] / 1e3


def rtt(pair: Pair, contender: Contender, seconds: float) -> float:
    """The median round trip of a ping through the idle tunnel, in microseconds."""
    count = max(20, int(seconds * 100))
    said = pair.run("a", "ping", "-n", "-i", "0.01", "-c", str(count), contender.ends.b)
    times = [float(each) for each in re.findall(r"time=([\d.]+)", said)]
    if len(times) < count * 0.9:
        raise Failed(f"{contender.name}: {len(times)} of {count} pings came back")
    return statistics.median(times) * 1000


def _iperf(pair: Pair, target: str, seconds: float, *options: str) -> dict[str, dict[str, float]]:
    server = pair.start("b", "iperf3", "--server", "--one-off")
    try:
        wait_for(lambda: ":5201" in pair.run("b", "ss", "-ltn"), "iperf3")
        words = ("iperf3", "--client", target, "--time", str(seconds), "--json", "--connect-timeout", "3000")
        found: dict[str, dict[str, float]] = json.loads(pair.run("a", *words, *options, seconds=seconds + 15))["end"]
    finally:
        server.kill()
        server.wait()
    return found


# Those that are processes: what the kernel does itself is nobody's CPU.
CPU_USERS = ("labctl", "labctl-python", "labctl-no-offload", "cable", "socat", "wireguard-go")

ROWS = (
    Row("tcp-1500", "Gbit/s", "higher", 1500, 1400, tcp),
    Row("tcp-1500-of-4", "Gbit/s", "higher", 1500, 1400, tcp_of_four, ("labctl", "labctl-python", "vxlan", "veth")),
    Row("cpu-per-gb", "s", "lower", 1500, 1400, cpu_per_gb, CPU_USERS),
    Row("tcp6-1500", "Gbit/s", "higher", 1500, 1400, tcp6, ("labctl", "labctl-no-offload", "socat", "vxlan", "veth")),
    Row("udp-64", "kpackets/s", "higher", 1500, 1400, udp),
    Row("rtt", "us", "lower", 1500, 1400, rtt),
    Row("tcp-65535", "Gbit/s", "higher", 65535, 65000, tcp),
)
