"""Whatever a hand changes in a lab is seen, named and repaired; and it is said what was looked at."""

from __future__ import annotations

import os
import shutil
import sys
from typing import Any

import pytest

from tests.e2e.labs import PAIR
from tests.e2e.world import World, eventually

LAB = """\
name: drift
namespaces:
  left:
    interfaces:
      eth0: {kind: veth, peer: "hub:p1", addresses: [192.0.2.1/24, "fd00::1/64"]}
      dummy0: {kind: dummy, addresses: [10.0.1.1/24]}
      tun0: {kind: tun, addresses: [10.0.101.1/24]}
    routes: [{to: 10.0.102.0/24, dev: tun0}]
  hub:
    interfaces:
      p1: {kind: veth, peer: "left:eth0"}
      p2: {kind: veth, peer: "right:eth0"}
      br0: {kind: bridge, ports: [p1, p2]}
  right:
    interfaces:
      eth0: {kind: veth, peer: "hub:p2", addresses: [192.0.2.2/24, "fd00::2/64"], mac: "02:00:00:00:00:22"}
      tun1: {kind: tun, addresses: [10.0.102.1/24]}
      tap0: {kind: tap}
    routes: [{to: 10.0.101.0/24, dev: tun1}]
    sysctls: {net.ipv4.ip_forward: 1, net.ipv4.conf.tap0.rp_filter: 1}
    neighbours:
      - {to: 192.0.2.50, lladdr: "02:00:00:00:00:50", dev: eth0}
      - {to: 192.0.2.51, lladdr: "02:00:00:00:00:51", dev: eth0}
      - {to: "fd00::52", dev: eth0, proxy: true}
ttun:
  - {device: "left:tun0", bind: "192.0.2.1:9000", peer: "192.0.2.2:9000"}
  - {device: "right:tun1", bind: "192.0.2.2:9000", peer: "192.0.2.1:9000"}
checks:
  - name: across
    ping: {from: left, to: 10.0.102.1, timeout: 1}
    crosses: ["left:tun0", "right:tun1"]
  - name: straight
    ping: {from: left, to: "fd00::2", timeout: 1}
"""

# By what is typed inside a namespace: the lines of a plan that name it, each with its reason.
BY_HAND: dict[str, list[str]] = {
    "left ip link set eth0 arp off": ["~ left:eth0 arp on  (is off)"],
    "left ip link set dummy0 arp on": ["~ left:dummy0 arp off  (is on)"],
    "right ip link set eth0 multicast off": ["~ right:eth0 multicast on  (is off)"],
    "right ip link set tap0 txqueuelen 1": ["~ right:tap0 txqueuelen 1000  (is 1)"],
    "left ip link set tun0 carrier off": ["~ left:tun0 carrier on  (is off)"],
    "hub bridge link set dev p1 state 0": ["~ hub:p1 type bridge_slave state 3  (is 0)"],
    "hub bridge link set dev p1 learning off": ["~ hub:p1 type bridge_slave learning on  (is off)"],
    "hub bridge link set dev p2 isolated on": ["~ hub:p2 type bridge_slave isolated off  (is on)"],
    "hub bridge link set dev p2 flood off": ["~ hub:p2 type bridge_slave flood on  (is off)"],
    "hub ip link set br0 type bridge mcast_snooping 0": ["~ hub:br0 type bridge mcast_snooping 1  (is 0)"],
    "right ip addr add fe80::1/64 dev eth0 nodad": ["- right:eth0 address fe80::1/64  (is not in the file)"],
    "left ip addr add fe80::1/64 dev tun0 nodad": ["- left:tun0 address fe80::1/64  (is not in the file)"],
    "left ip addr add 169.254.0.1/16 dev eth0": ["- left:eth0 address 169.254.0.1/16  (is not in the file)"],
    "hub bridge fdb add 02:00:00:00:00:77 dev p1 master static": [
        "- hub:p1 fdb entry 02:00:00:00:00:77  (is not in the file)"
    ],
    "right ip neigh replace 192.0.2.1 lladdr 02:00:00:00:00:99 dev eth0 nud permanent": [
        "- right:eth0 neighbour 192.0.2.1 lladdr 02:00:00:00:00:99 permanent  (is not in the file)"
    ],
    "right ip neigh replace fd00::1 lladdr 02:00:00:00:00:99 dev eth0 nud reachable": [
        "- right:eth0 neighbour fd00::1 lladdr 02:00:00:00:00:99 ",
        "(no interface of the lab has that MAC)",
    ],
    "right ip neigh add 192.0.2.77 lladdr 02:00:00:00:00:99 dev eth0 nud noarp": [
        "- right:eth0 neighbour 192.0.2.77 lladdr 02:00:00:00:00:99 noarp  (is not in the file)"
    ],
    "right ip neigh add proxy 192.0.2.9 dev eth0": ["- right:eth0 proxy neighbour 192.0.2.9  (is not in the file)"],
    "right ip neigh del 192.0.2.50 dev eth0": [
        "+ right:eth0 neighbour 192.0.2.50 lladdr 02:00:00:00:00:50 permanent  (is not there)"
    ],
    "right ip neigh replace 192.0.2.51 lladdr 02:00:00:00:00:99 dev eth0 nud reachable": [
        "+ right:eth0 neighbour 192.0.2.51 lladdr 02:00:00:00:00:51 permanent  (is 02:00:00:00:00:99 reachable)"
    ],
    "right ip neigh del proxy fd00::52 dev eth0": ["+ right:eth0 proxy neighbour fd00::52  (is not there)"],
    "right tc qdisc add dev eth0 root tbf rate 1mbit burst 10k latency 10ms": [
        "- right:eth0 qdisc tbf at root  (is not in the file)"
    ],
    "right tc qdisc add dev eth0 clsact": ["- right:eth0 qdisc clsact  (is not in the file)"],
    "left tc qdisc add dev tun0 root pfifo limit 1": ["- left:tun0 qdisc pfifo at root  (is not in the file)"],
    "left tc qdisc add dev lo ingress": ["- left:lo qdisc ingress  (is not in the file)"],
    "left ip xfrm policy add dir out dst 10.9.0.0/16 action block": [
        "- left xfrm policy (1 of them)  (is not in the file)"
    ],
    "left sysctl -qw net.ipv4.icmp_echo_ignore_all=1": ["~ left sysctl net.ipv4.icmp_echo_ignore_all = 0  (is 1)"],
    "left sysctl -qw net.ipv6.icmp.echo_ignore_all=1": ["~ left sysctl net.ipv6.icmp.echo_ignore_all = 0  (is 1)"],
    "left sysctl -qw net.ipv4.ip_default_ttl=1": ["~ left sysctl net.ipv4.ip_default_ttl = 64  (is 1)"],
    "left sysctl -qw net.ipv4.conf.all.arp_ignore=8": ["~ left sysctl net.ipv4.conf.all.arp_ignore = 0  (is 8)"],
    "left sysctl -qw net.ipv4.conf.eth0.rp_filter=1": ["~ left sysctl net.ipv4.conf.eth0.rp_filter = 0  (is 1)"],
    "left sysctl -qw net.ipv4.conf.lo.accept_local=1": ["~ left sysctl net.ipv4.conf.lo.accept_local = 0  (is 1)"],
    "left sysctl -qw net.ipv6.conf.eth0.disable_ipv6=1": ["~ left sysctl net.ipv6.conf.eth0.disable_ipv6 = 0  (is 1)"],
    "hub sysctl -qw net.ipv4.ip_forward=1": ["~ hub sysctl net.ipv4.ip_forward = 0  (is 1)"],
    "right sysctl -qw net.ipv4.conf.eth0.forwarding=0": ["~ right sysctl net.ipv4.conf.eth0.forwarding = 1  (is 0)"],
    "right sysctl -qw net.ipv4.conf.tap0.rp_filter=2": ["~ right sysctl net.ipv4.conf.tap0.rp_filter = 1  (is 2)"],
    "right sysctl -qw net.ipv4.conf.eth0.proxy_arp=1": ["~ right sysctl net.ipv4.conf.eth0.proxy_arp = 0  (is 1)"],
}
if shutil.which("nft") or os.environ.get("CI"):
    BY_HAND |= {
        "left nft add table inet mine; nft add chain inet mine in '{ type filter hook input priority 0; }';"
        " nft add rule inet mine in udp dport 9000 drop": [
            "- left nftables table inet mine (1 chain, 1 rule)  (is not in the file)"
        ],
        "hub nft add table bridge mine": ["- hub nftables table bridge mine (0 chains, 0 rules)  (is not in the file)"],
        "right nft add table arp mine": ["- right nftables table arp mine (0 chains, 0 rules)  (is not in the file)"],
    }


@pytest.fixture
def lab(here: World) -> Any:
    here.labctl("up", here.file("drift.yaml", LAB))
    yield here
    here.labctl("down")


def lines_of(told: str) -> list[str]:
    return [line for line in told.splitlines() if line[:2] in ("+ ", "- ", "~ ")]


def by_hand(lab: World) -> None:
    for space in ("left", "hub", "right"):
        typed = [change.removeprefix(f"{space} ") for change in BY_HAND if change.startswith(f"{space} ")]
        lab.labctl("exec", space, "--", "sh", "-ec", "\n".join(typed))


def operational(lab: World, space: str, interface: str) -> bool:
    return bool(lab.json("status")["namespaces"][space]["interfaces"][interface]["state"] == "up")


def test_what_a_hand_changes_is_named_and_repaired(lab: World) -> None:
    file = str(lab.home / "drift.yaml")
    for words in (("plan", file), ("status",)):
        told = lab.labctl(*words).stdout
        assert "drift is as its file says" in told and "\nlooked at  namespaces," in told and "\nnot at " in told
    # A port is expected to forward once it is operational, which the kernel takes note of a moment later.
    eventually(lambda: operational(lab, "hub", "p1"), "the port is operational")
    by_hand(lab)
    told = lab.labctl("plan", file, code=1).stdout
    assert [line for lines in BY_HAND.values() for line in lines if line not in told] == []
    assert len(lab.json("status")["drift"]) == len(lines_of(told))
    assert "hub sysctl net.ipv4.conf." not in told, "what one setting brings along is told once"
    assert not lab.json("verify", code=None)["passed"]
    lab.labctl("up", file)
    found = lab.json("up", file)
    assert found["changes"] == [] and {"routes", "nftables", "IPsec", "neighbours"} <= set(found["looked_at"])
    assert "BPF programs but XDP" in found["not_looked_at"]
    assert lab.json("verify")["passed"]


INHERITING = """\
import contextlib
import sys
from labctl.kernel import perform
perform.BORN_WITH = {"net/ipv4/conf/all/arp_ignore": "1", "net/ipv4/conf/default/arp_announce": "0"}
from labctl import cli
with contextlib.ExitStack() as until_the_end:
    sys.exit(cli.run_cli(until_the_end))
"""


def test_a_namespace_gets_rid_of_what_it_inherits_from_the_machine(as_root: World) -> None:
    """Here by the other way round: as if the kernel's own value were the machine's."""
    file = as_root.file("pair.yaml", PAIR)
    as_root.run(sys.executable, "-c", INHERITING, "up", file)
    for space in ("left", "right"):
        assert as_root.labctl("exec", space, "--", "cat", "/proc/sys/net/ipv4/conf/all/arp_ignore").stdout == "1\n"
    told = as_root.labctl("plan", file, code=1).stdout
    assert "~ left sysctl net.ipv4.conf.all.arp_ignore = 0  (is 1)" in told and "arp_announce" not in told
    as_root.labctl("down")


def test_what_a_person_types_repairs_the_same(as_root: World) -> None:
    as_root.labctl("up", as_root.file("drift.yaml", LAB))
    file = str(as_root.home / "drift.yaml")
    by_hand(as_root)
    for change in as_root.json("plan", file, code=1)["changes"]:
        as_root.run("sh", "-c", change["command"])
    left = as_root.json("plan", file, code=None)["changes"]
    assert [change for change in left if "lladdr" not in change["change"]] == []
    as_root.labctl("down")


LOOP = """\
name: loop
namespaces:
  s1:
    interfaces:
      a: {kind: veth, peer: "s2:a"}
      b: {kind: veth, peer: "s2:b"}
      br0: {kind: bridge, ports: [a, b]}
  s2:
    interfaces:
      a: {kind: veth, peer: "s1:a"}
      b: {kind: veth, peer: "s1:b"}
      br0: {kind: bridge, ports: [a, b]}
"""


def test_a_port_that_a_spanning_tree_has_left_blocking_forwards_again(here: World) -> None:
    file = here.file("loop.yaml", LOOP)
    here.labctl("up", file)
    for space in ("s1", "s2"):
        here.labctl("exec", space, "--", "ip", "link", "set", "br0", "type", "bridge", "stp_state", "1")

    def blocked() -> str:
        ports = "".join(here.labctl("exec", space, "--", "bridge", "link").stdout for space in ("s1", "s2"))
        return "state blocking" if "state blocking" in ports else ""

    eventually(lambda: bool(blocked()), "one of the ports is blocked")
    assert "(is blocked by a spanning tree that has ended)" in here.labctl("up", file).stdout
    assert here.json("plan", file)["changes"] == [] and not blocked()
    here.labctl("down")


def test_what_was_asked_while_a_link_was_down_is_asked_anew_by_up(here: World) -> None:
    """Else the first packets after a repair share the fate of those before it."""
    file = here.file("pair.yaml", PAIR)
    here.labctl("up", file)
    here.labctl("exec", "right", "--", "ip", "link", "set", "eth0", "down")
    here.labctl("exec", "left", "--", "ping", "-c", "1", "-W", "0.1", "192.0.2.2", code=1)
    here.labctl("up", file)
    assert "INCOMPLETE" not in here.labctl("exec", "left", "--", "ip", "neigh", "show").stdout
    here.labctl("verify")
    here.labctl("down")
