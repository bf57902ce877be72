"""The exported script, run by sh with the real ip(8), leaves the kernel state that `labctl up` leaves."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from labctl.kernel.observe import observe
from labctl.plan.steps import SetSysctl
from labctl.plan.wanted import BASELINE, wanted
from labctl.topology.load import load
from labctl.topology.model import Topology
from tests.lab.labs import tunnel
from tests.lab.test_refused import unmake_names
from tests.lab.world import REPO, World, eventually

KINDS = """\
name: kinds
namespaces:
  left:
    sysctls: {net.ipv4.ip_forward: 1, net.ipv4.conf.wan0.rp_filter: 2}
    interfaces:
      lo: {kind: lo, addresses: [10.255.0.1/32]}
      port0: {kind: veth, peer: "left:port1", mac: "02:00:00:00:00:01"}
      br0: {kind: bridge, ports: [port0, tap0], addresses: [10.1.0.1/24, "fd00:1::1/64"], mac: "02:00:00:00:00:09"}
      port1: {kind: veth, peer: "left:port0", mac: "02:00:00:00:00:02", mtu: 1400}
      tap0: {kind: tap, mac: "02:00:00:00:00:03"}
      wan0: {kind: veth, peer: "right:wan0", addresses: [192.0.2.1/30, "fd00::1/64"], mac: "02:00:00:00:00:04"}
    routes:
      - {to: 10.9.0.0/16, via: 192.0.2.2, metric: 7}
      - {to: "fd00:9::/64", via: "fd00::2"}
      - {to: 0.0.0.0/0, dev: wan0}
  right:
    interfaces:
      wan0: {kind: veth, peer: "left:wan0", addresses: [192.0.2.2/30, "fd00::2/64"], mac: "02:00:00:00:00:05"}
      spare: {kind: dummy, mac: "02:00:00:00:00:06"}
"""


def state(here: World, topology: Topology) -> dict[str, Any]:
    """What the kernel shows of a lab, but for what differs from one birth to the next."""
    paths = [step.path for step in wanted(topology) if isinstance(step, SetSysctl)]
    given = {
        (name, device)
        for name, space in topology.namespaces.items()
        for device, interface in space.interfaces.items()
        if getattr(interface, "mac", None)
    }

    def look() -> dict[str, Any]:
        spaces = {}
        for name in topology.namespaces:
            there = observe(name, (*BASELINE, *paths), topology.namespaces)
            assert there is not None
            plain = dataclasses.asdict(there)
            for device, link in plain["links"].items():
                del link["counters"], link["state"]  # the operational state has a memory; the carrier has none
                if (name, device) not in given:
                    del link["mac"]
            spaces[name] = {
                **plain,
                "routes": sorted(map(str, plain["routes"])),
                "links": sorted(map(str, plain["links"].items())),
            }
        return spaces

    return here.inside(look)  # type: ignore[no-any-return]


def engines(here: World, topology: Topology) -> list[str]:
    """The words of every engine. `ip netns exec` gives each a mount namespace of its own, so it is found by its lab."""
    found = []
    for name in topology.namespaces:
        for pid in here.run("ip", "netns", "pids", name, code=None).stdout.split():
            words = Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ").split()
            found.append(" ".join(words[next(i for i, word in enumerate(words) if word.endswith("ttun")) + 1 :]))
    return sorted(found)


@pytest.mark.parametrize("name", ["two-site", "single-host", "tunnel", "kinds"])
def test_the_script_leaves_what_up_leaves(as_root: World, name: str) -> None:
    written = {"tunnel": tunnel(), "kinds": KINDS}
    file = as_root.file(f"{name}.yaml", written[name]) if name in written else str(REPO / "topologies" / f"{name}.yaml")
    topology = load(Path(file))
    script = as_root.file("lab.sh", as_root.labctl("export", file, "--as", "shell").stdout)
    before = as_root.snapshot()

    as_root.labctl("up", file)
    number = len(topology.ttun)
    by_labctl = state(as_root, topology), engines(as_root, topology)
    as_root.labctl("down")
    assert len(by_labctl[1]) == number

    # ip(8) makes /run/netns a mount and leaves it: that it is there before is what a test with it needs.
    as_root.run("ip", "netns", "add", "first")
    path = f"{Path(sys.executable).parent}:/usr/sbin:/usr/bin:/sbin:/bin"
    as_root.run("sh", script, env={"PATH": path}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    eventually(lambda: len(engines(as_root, topology)) == number, "the engines run")
    with suppress(AssertionError):  # what differs says more
        eventually(lambda: (state(as_root, topology), engines(as_root, topology)) == by_labctl, "the same state")
    assert (state(as_root, topology), engines(as_root, topology)) == by_labctl
    as_root.run("sh", script, "down", env={"PATH": path})
    eventually(lambda: not engines(as_root, topology), "the engines are gone")
    as_root.run("ip", "netns", "del", "first")
    as_root.inside(unmake_names)
    assert as_root.snapshot() == before


def test_the_script_reads_like_the_readme(as_user: World) -> None:
    script = as_user.labctl("export", "single-host").stdout
    order = [
        "ip -n host link add dummy0 type dummy",
        "ip -n host addr add 10.0.1.1/24 dev dummy0",
        "ip -n host link add dummy1 type dummy",
        "ip -n host addr add 10.0.2.1/24 dev dummy1",
        "ip -n host tuntap add dev tun0 mode tun",
        "ip -n host addr add 10.0.101.1/24 dev tun0",
        "ip -n host tuntap add dev tun1 mode tun",
        "ip -n host addr add 10.0.102.1/24 dev tun1",
        "ip netns exec host ttun tun0 10.0.1.1 9000 10.0.2.1 9000 -v &",
        "ip netns exec host ttun tun1 10.0.2.1 9000 10.0.1.1 9000 -v &",
    ]
    places = [script.index(line) for line in order]
    assert places == sorted(places)


def test_words_of_a_file_never_become_words_of_the_shell(as_user: World) -> None:
    text = tunnel().replace("name: tunnel", 'name: tunnel\ndescription: "a\\n; touch owned\\n$(touch owned)"')
    script = as_user.file("lab.sh", as_user.labctl("export", as_user.file("lab.yaml", text)).stdout)
    as_user.run("sh", "-n", script)
    as_user.run("sh", script, "down", code=None)
    assert not (as_user.home / "owned").exists()
