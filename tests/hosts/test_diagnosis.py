"""A fault in a lab over two hosts is explained in the words in which the same lab on one machine explains it.

Every cable of the lab is between the hosts, and so is every hop of a packet.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest

from tests.e2e.world import REPO
from tests.hosts.conftest import Wire
from tests.hosts.machines import Machine

INVENTORY = """
hosts:
  srv1: {ports: 47000-47009, namespaces: [siteA, r2]}
  srv2: {ports: 47000-47009, namespaces: [r1, siteB]}
"""
MORE = {
    "      tun0: ": "      tun2: {kind: tun, addresses: [10.0.103.1/24]}\n",
    "      tun1: ": "      tun3: {kind: tun, addresses: [10.0.104.1/24]}\n",
    "      - {to: 10.0.102.0/24, dev: tun0}": "      - {to: 10.0.104.0/24, dev: tun2}\n",
    "      - {to: 10.0.101.0/24, dev: tun1}": "      - {to: 10.0.103.0/24, dev: tun3}\n",
    "\nchecks:\n": """  - {device: "siteA:tun2", bind: "10.0.1.1:9002", peer: "10.0.2.1:9003"}
  - {device: "siteB:tun3", bind: "10.0.2.1:9004", peer: "10.0.1.1:9002"}
""",
    "  - name: gateway\n": """  - name: other-port
    ping: {from: siteA, to: 10.0.104.1, timeout: 0.3}
    crosses: ["siteA:tun2", "siteB:tun3"]
""",
}
"""What stands in the file before these parts of it: a tunnel that sends to a port on which its other end is not."""

DROP = "add rule ip t c udp dport 9000 drop"
STRICT = "/proc/sys/net/ipv4/conf/all/rp_filter"
FORWARDING = "/proc/sys/net/ipv4/ip_forward"


class Fault(NamedTuple):
    """What is done in a namespace, what undoes it (`labctl up`, where nothing does), and which check tells of it."""

    reason: str
    namespace: str
    inject: str
    check: str
    undo: str = ""


FAULTS = (
    Fault("no-route", "r2", "ip route del 192.0.2.0/30", "underlay", "ip route add 192.0.2.0/30 via 192.0.2.5"),
    Fault("address-missing", "siteB", "ip addr del 10.0.2.1/24 dev lan0", "tunnel", "ip addr add 10.0.2.1/24 dev lan0"),
    Fault(
        "firewall", "r2",
        f"nft 'add table ip t; add chain ip t c {{ type filter hook forward priority 0 ; }}; {DROP}'",
        "tunnel", "nft delete table ip t",
    ),
    Fault(
        "rp-filter", "r1", f"echo 1 > {STRICT}; ip route add 10.0.1.1 via 192.0.2.6",
        "tunnel", f"echo 0 > {STRICT}; ip route del 10.0.1.1",
    ),
    Fault("engine-ended", "siteB", "kill -KILL ENGINE[siteB:tun1]", "tunnel"),
    Fault("mtu", "r1", "ip link set dev b mtu 1300", "large"),
    Fault("link-down", "r1", "ip link set dev b down", "tunnel"),
)  # fmt: skip


class Labs(NamedTuple):
    """The same lab over two hosts, as the user of the near machine has it, and on that machine, as root has it."""

    wire: Wire
    file: str
    inventory: str

    def up(self) -> None:
        """Make both labs what the file says."""
        self.wire.near.labctl("up", self.file, "-i", self.inventory)
        self.wire.near.labctl("up", self.file, root=True)

    def inject(self, namespace: str, command: str) -> None:
        """Run a line of shell in a namespace of both labs."""
        near = self.wire.near
        for root in (False, True):
            typed = command
            for device in re.findall(r"ENGINE\[(\S+)\]", command):
                typed = typed.replace(f"ENGINE[{device}]", pid_of(near, device, root))
            near.labctl("exec", namespace, "--", "sh", "-c", f"PATH=$PATH:/usr/sbin:/sbin; {typed}", root=root)

    def causes(self, *words: str) -> tuple[Any, Any]:
        """Return what labctl says of both labs: hop, reason and words of each cause."""
        there, here = (self.wire.near.json(*words, code=1, root=root)["diagnosis"] for root in (False, True))
        return [*map(told, there)], [*map(told, here)]


def pid_of(near: Machine, device: str, root: bool) -> str:
    (engine,) = (each for each in near.json("status", root=root)["engines"] if each["device"] == device)
    return str(engine["pid"])


def told(cause: dict[str, Any]) -> tuple[str, ...]:
    return cause["hop"], cause["reason"], cause["words"]


@pytest.fixture(scope="module")
def labs(_machines: Wire) -> Iterator[Labs]:
    """The labs, made once; what a test does to them it undoes."""
    near = _machines.near
    text = (REPO / "tests/diagnosis/labs/routed.yaml").read_text()
    for known, more in MORE.items():
        assert known in text
        text = text.replace(known, f"{more}{known}", 1)
    made = Labs(_machines, near.file("routed.yaml", text), near.file("routed-hosts.yaml", INVENTORY))
    made.up()
    yield made
    near.labctl("down")
    near.labctl("down", root=True)
    for machine in _machines:
        machine.is_as_before()


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: f"{fault.reason} at {fault.namespace}")
def test_a_fault_is_explained_as_on_one_machine(labs: Labs, fault: Fault) -> None:
    labs.inject(fault.namespace, fault.inject)
    try:
        there, here = labs.causes("verify", fault.check)
    finally:
        labs.inject(fault.namespace, fault.undo) if fault.undo else labs.up()
    assert there == here
    assert fault.reason in [reason for _, reason, _ in there]


def test_what_the_file_has_wrong_is_explained_as_on_one_machine(labs: Labs) -> None:
    there, here = labs.causes("verify", "other-port")
    assert there == here
    assert {reason for _, reason, _ in there} == {"engine-sends-elsewhere"}


def test_why_explains_as_on_one_machine(labs: Labs) -> None:
    labs.inject("r2", f"echo 0 > {FORWARDING}")
    there, here = labs.causes("why", "siteB", "10.0.1.1")
    labs.inject("r2", f"echo 1 > {FORWARDING}")
    assert there == here
    assert [reason for _, reason, _ in there] == ["forwarding-off"]
