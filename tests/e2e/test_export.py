"""The exported script, run by sh with the real ip(8), leaves the kernel state that `labctl up` leaves."""

from __future__ import annotations

import dataclasses
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from itertools import cycle
from pathlib import Path
from typing import Any

import pytest

from labctl.kernel.observe import observe
from labctl.plan.desired import desired
from labctl.plan.settings import BASELINE
from labctl.plan.steps import SetSysctl
from labctl.topology.hosts_file import about_the_lab
from labctl.topology.load import load
from labctl.topology.model import Topology
from labctl.topology.values import IFNAMSIZ
from tests.e2e.labs import ROUTED, tunnel
from tests.e2e.test_firewall import GUARDED, NAT
from tests.e2e.test_refused import unmake_names
from tests.e2e.test_view import etc
from tests.e2e.world import REPO, World, eventually

KINDS = """\
name: kinds
namespaces:
  left:
    sysctls: {net.ipv4.ip_forward: 1, net.ipv4.conf.wan0.rp_filter: 2}
    interfaces:
      lo: {kind: lo, addresses: [10.255.0.1/32, 127.0.0.2/8]}
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
    paths = [step.path for step in desired(topology).steps if isinstance(step, SetSysctl)]
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
            plain = dataclasses.asdict(dataclasses.replace(there, firewall=None))
            for device, link in plain["links"].items():
                # What has a memory: what was learned, and states, for the carrier has none.
                del link["counters"], link["state"], link["neighbours"]
                link["options"].pop("type bridge_slave state", None)
                if (name, device) not in given:
                    del link["mac"]
            spaces[name] = {
                **plain,
                "listing": sorted(map(str, plain["listing"].items())),
                "ran": sorted(map(str, plain["ran"])),
                "routes": sorted(map(str, plain["routes"])),
                "links": sorted(map(str, plain["links"].items())),
            }
        return spaces

    return here.inside(look)  # type: ignore[no-any-return]


OF_A_BIRTH = {"ifindex", "link_index", "link_netnsid", "address", "operstate"}
"""What ip(8) tells of an interface that differs from one birth to the next."""


def by_ip(here: World, topology: Topology) -> set[tuple[str, ...]]:
    """What ip(8) tells of a lab with all its details, once the kernel has followed every change of a carrier."""
    told: set[tuple[str, ...]] = set()
    for name in topology.namespaces:
        links = eventually(lambda name=name: _settled(here, name), f"the interfaces of {name} have settled")  # type: ignore[misc]
        told |= {(name, link["ifname"], *detail) for link in links for detail in _lasting(link)}
        for family in ("-4", "-6"):
            routes = here.run("ip", family, "-n", name, "-d", "route", "show", "table", "all").stdout
            rules = here.run("ip", family, "-n", name, "-d", "rule").stdout
            told |= {(name, family, line) for line in (routes + rules).splitlines() if "fe80::" not in line}
    return told


def _settled(here: World, name: str) -> list[dict[str, Any]]:
    """The interfaces of a namespace as ip(8) tells of them, or none while the operational state of one is behind."""
    links: list[dict[str, Any]] = json.loads(here.run("ip", "-n", name, "-d", "-j", "addr").stdout)
    return links if all(("LOWER_UP" in link["flags"]) != ("NO-CARRIER" in link["flags"]) for link in links) else []


def _lasting(link: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for key, value in link.items():
        if key == "linkinfo":
            data = value.get("info_data", {})
            kept = {word: data[word] for word in data if not word.endswith(("_timer", "_id", "_path_cost", "_port"))}
            yield key, str((value.get("info_kind"), kept, value.get("info_slave_kind")))
        elif key == "addr_info":
            yield key, str([one for one in value if not one["local"].startswith("fe80:")])
        elif key not in OF_A_BIRTH and (link["ifname"], key) != ("lo", "ifalias"):  # the mark of `up`
            yield key, str(value)


def engines(here: World, topology: Topology) -> list[str]:
    """The words of every engine. `ip netns exec` gives each a mount namespace of its own, so it is found by its lab."""
    found = []
    for name in topology.namespaces:
        for pid in here.run("ip", "netns", "pids", name, code=None).stdout.split():
            words = Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ").split()
            found.append(" ".join(words[next(i for i, word in enumerate(words) if word.endswith("ttun")) + 1 :]))
    return sorted(found)


def compare(here: World, file: str) -> None:
    """Make a lab with `up`, take it down, make it with its script: all that is to be seen of it is the same."""
    topology = load(Path(file))
    script = here.file("lab.sh", here.labctl("export", file, "--as", "shell").stdout)
    before = here.snapshot()

    here.labctl("up", file)
    told_of_labctl = by_ip(here, topology)  # first: it waits until the interfaces have settled
    hosts = {name: here.labctl("exec", name, "--", "cat", "/etc/hosts").stdout for name in topology.namespaces}
    by_labctl = state(here, topology), engines(here, topology)
    here.labctl("down")
    assert len(by_labctl[1]) == len(topology.ttun)

    # ip(8) makes /run/netns a mount and leaves it: that it is there before is what a test with it needs.
    here.run("ip", "netns", "add", "first")
    path = f"{Path(sys.executable).parent}:/usr/sbin:/usr/bin:/sbin:/bin"
    here.run("sh", script, env={"PATH": path}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    eventually(lambda: len(engines(here, topology)) == len(topology.ttun), "the engines run")
    with suppress(AssertionError):  # what differs says more
        eventually(lambda: (state(here, topology), engines(here, topology)) == by_labctl, "the same state")
    assert (state(here, topology), engines(here, topology)) == by_labctl
    assert sorted(by_ip(here, topology) ^ told_of_labctl) == []
    for name, written in hosts.items():
        typed = here.run("ip", "netns", "exec", name, "cat", "/etc/hosts").stdout
        assert about_the_lab(typed) == about_the_lab(written)
    here.run("sh", script, "down", env={"PATH": path})
    eventually(lambda: not engines(here, topology), "the engines are gone")
    here.run("ip", "netns", "del", "first")
    here.inside(unmake_names)
    with suppress(AssertionError):  # what differs says more
        eventually(lambda: here.snapshot() == before, "nothing is left")
    assert here.snapshot() == before


@pytest.mark.parametrize("name", ["two-site", "single-host", "tunnel", "kinds", "routed", "nat", "guarded"])
def test_the_script_leaves_what_up_leaves(as_root: World, name: str) -> None:
    written = {"tunnel": tunnel(), "kinds": KINDS, "routed": ROUTED, "nat": NAT, "guarded": GUARDED}
    file = as_root.file(f"{name}.yaml", written[name]) if name in written else str(REPO / "topologies" / f"{name}.yaml")
    with etc(as_root, {}):  # the script writes to /etc/netns
        compare(as_root, file)
        assert not Path(as_root.home, "etc", "netns").exists()


HELP = (
    "ip link",
    "ip addr",
    "ip route",
    "ip netns",
    "ip tuntap",
    "ip link help veth",
    "ip link help bridge",
    "tc qdisc",
)


def words_of_ip() -> list[str]:
    """Every word of the help of ip(8) and tc(8) that can be the name of an interface, and abbreviations of some."""
    helped = (subprocess.run([*one.split(), "help"], capture_output=True, text=True, check=False) for one in HELP)
    told = " ".join(done.stdout + done.stderr for done in helped)
    words = {word for word in re.findall(r"(?<!\S)[a-z0-9_][a-z0-9_.-]*(?!\S)", told) if len(word) < IFNAMSIZ}
    shortened = {
        word[:length] for word in ("dev", "name", "type", "bridge", "link", "up", "address") for length in (1, 2)
    }
    numbers = {"0", "7", "00", "254", "0x10"}
    return sorted((words | shortened | numbers) - {"all", "default", "lo"})


def test_names_may_be_words_of_ip(as_root: World) -> None:
    """Each word names an interface of one kind or another, and those of the namespaces are words, too."""
    words = words_of_ip()
    assert {"a", "br", "up", "dev", "mtu", "type", "down", "name", "link", "help", "vf", "netns", "master"} < set(words)
    spaces: dict[str, Any] = {space: {"interfaces": {}, "routes": []} for space in ("up", "dev", "1")}
    here = spaces["up"]["interfaces"]
    spaces["up"]["sysctls"] = {f"net/ipv4/conf/{word}/rp_filter": 2 for word in words if "." in word or len(word) == 1}
    for number, (word, kind) in enumerate(zip(words, cycle(["veth", "bridge", "tun", "dummy"]), strict=False)):
        here[word] = {"kind": kind, "mtu": 1400}
        if kind == "veth":
            spaces["dev"]["interfaces"][word] = {"kind": "veth", "peer": f"up:{word}"}
            here[word]["peer"] = f"dev:{word}"
            continue
        if kind == "bridge":
            here[word]["ports"] = [words[number - 1]]
        here[word]["addresses"] = [f"10.{number // 250}.{number % 250}.1/30"]
        spaces["up"]["routes"].append({"to": f"192.0.{number // 64}.{number % 64 * 4}/30", "dev": word})
    compare(as_root, as_root.file("words.yaml", json.dumps({"name": "words", "namespaces": spaces})))


def test_the_script_reads_like_the_readme(as_user: World) -> None:
    script = as_user.labctl("export", "single-host").stdout
    order = [
        "ip -n host link add name dummy0 type dummy",
        "ip -n host addr add 10.0.1.1/24 dev dummy0",
        "ip -n host link add name dummy1 type dummy",
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


PROGRAMS = """\
name: shop
namespaces:
  server:
    interfaces:
      eth0: {kind: veth, peer: "client:eth0", addresses: [192.0.2.1/30]}
    programs:
      - {name: web, command: "python3 -m http.server 80", cwd: /, user: nobody, ready: {tcp: 80}, after: [stock]}
      - {name: stock, command: "sh -c 'echo $A; exec sleep 1000'", env: {A: it is here}, ready: {log: "^it is \\\\w+$"}}
  client:
    interfaces:
      eth0: {kind: veth, peer: "server:eth0", addresses: [192.0.2.2/30]}
    programs:
      - name: probe
        command: sleep 1001
        after: ["server:web"]
        ready: {command: "python3 -c 'import urllib.request as u; u.urlopen(\\"http://192.0.2.1/\\")'"}
"""


def test_the_script_starts_programs_in_their_order_and_ends_them(as_root: World) -> None:
    script = as_root.file("lab.sh", as_root.labctl("export", as_root.file("shop.yaml", PROGRAMS)).stdout)
    as_root.run("ip", "netns", "add", "first")
    as_root.run("sh", script, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    pids = [pid for name in ("server", "client") for pid in as_root.run("ip", "netns", "pids", name).stdout.split()]
    titles = {Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ").strip(): pid for pid in pids}
    assert titles.keys() == {"python3 -m http.server 80", "sleep 1000", "sleep 1001"}
    assert Path(f"/proc/{titles['python3 -m http.server 80']}").stat().st_uid == 65534
    as_root.run("sh", script, "down")
    eventually(lambda: not as_root.processes(), "the programs are gone")
    as_root.run("ip", "netns", "del", "first")
    as_root.inside(unmake_names)
