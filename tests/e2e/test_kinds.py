"""Every kind of interface, both IP versions, and each setting of a file, on the real kernel."""

from __future__ import annotations

import json
import sys
from typing import Any

import pytest

from tests.e2e.world import ORDINARY_UID, World, eventually

SWITCH = """\
name: switch
namespaces:
  h1: {interfaces: {eth0: {kind: veth, peer: "sw:p1", addresses: [10.9.0.1/24, "fd00:9::1/64"]}}}
  h2: {interfaces: {eth0: {kind: veth, peer: "sw:p2", addresses: [10.9.0.2/24, "fd00:9::2/64"]}}}
  sw:
    interfaces:
      p1: {kind: veth, peer: "h1:eth0"}
      p2: {kind: veth, peer: "h2:eth0"}
      br0: {kind: bridge, ports: [p1, p2], addresses: [10.9.0.254/24]}
checks:
  - {name: through, ping: {from: h1, to: 10.9.0.2}, crosses: ["h1:eth0", "sw:p1", "sw:p2", "h2:eth0"], wait: 5}
  - {name: through-ipv6, ping: {from: h1, to: "fd00:9::2"}, crosses: ["h1:eth0", "h2:eth0"], wait: 5}
  - {name: to-the-bridge, ping: {from: h2, to: 10.9.0.254}, wait: 5}
  - {name: from-the-bridge, ping: {from: sw, to: 10.9.0.1}, wait: 5}
  - {name: data, nc: {from: h2, to: h1, address: "fd00:9::1", port: 7000, send: hello, reply: world}}
"""


def links(here: World, space: str, *more: str) -> dict[str, Any]:
    text = here.labctl("exec", space, "--", "ip", "-j", "-d", *more, "addr").stdout
    return {link["ifname"]: link for link in json.loads(text)}


def test_hosts_reach_each_other_through_a_bridge(here: World) -> None:
    here.labctl("up", here.file("switch.yaml", SWITCH))
    assert here.json("verify")["passed"]
    seen = links(here, "sw")
    assert [seen[port].get("master") for port in ("p1", "p2")] == ["br0", "br0"]
    here.labctl("down")


SETTINGS = """\
name: settings
namespaces:
  host:
    interfaces:
      lo: {kind: lo, addresses: [10.255.0.1/32, "fd00:ff::1/128"]}
      br0: {kind: bridge, mac: "02:00:00:00:00:01", mtu: 1400, addresses: [10.1.0.1/24]}
      v0: {kind: veth, peer: "host:v1", mac: "02:00:00:00:00:02", mtu: 9000, addresses: [10.2.0.1/24, 10.2.1.1/24]}
      v1: {kind: veth, peer: "host:v0"}
      t0: {kind: tap, mac: "02:00:00:00:00:03", addresses: [10.3.0.1/24]}
      u0: {kind: tun, mtu: 1280, addresses: [10.4.0.1/24, "fd00:4::1/64"]}
    routes:
      - {to: 172.16.0.0/16, via: 10.2.0.9, metric: 10}
      - {to: 172.16.0.0/16, via: 10.2.0.8, metric: 20}
      - {to: 172.17.0.1/32, dev: br0}
      - {to: default, via: 10.2.1.9}
      - {to: "fd00:5::/64", via: "fd00:4::9", metric: 77}
      - {to: "fd00:6::/64", dev: u0}
    sysctls: {net.ipv4.ip_forward: 1, net.ipv4.conf.v0.rp_filter: 2, net.ipv4.ip_default_ttl: 33}
"""


@pytest.fixture
def settings(here: World) -> Any:
    here.labctl("up", here.file("settings.yaml", SETTINGS))
    yield here
    here.labctl("down")


def test_kind_mac_and_mtu_are_those_of_the_file(settings: World) -> None:
    seen = links(settings, "host")
    assert {name: (seen[name]["address"], seen[name]["mtu"]) for name in ("br0", "v0", "t0")} == {
        "br0": ("02:00:00:00:00:01", 1400),
        "v0": ("02:00:00:00:00:02", 9000),
        "t0": ("02:00:00:00:00:03", 1500),
    }
    assert seen["u0"]["mtu"] == 1280
    info = {name: seen[name]["linkinfo"] for name in ("br0", "v0", "t0", "u0")}
    assert {name: one["info_kind"] for name, one in info.items()} == {
        "br0": "bridge", "v0": "veth", "t0": "tun", "u0": "tun"
    }  # fmt: skip
    assert [info[name]["info_data"]["type"] for name in ("t0", "u0")] == ["tap", "tun"]


def test_addresses_of_both_versions_are_there_and_no_other(settings: World) -> None:
    seen = links(settings, "host")
    assert {
        name: sorted(
            f"{one['local']}/{one['prefixlen']}" for one in link["addr_info"] if one["scope"] != "link" and one["local"]
        )
        for name, link in seen.items()
    } == {
        "lo": ["10.255.0.1/32", "127.0.0.1/8", "::1/128", "fd00:ff::1/128"],
        "br0": ["10.1.0.1/24"],
        "v0": ["10.2.0.1/24", "10.2.1.1/24"],
        "v1": [],
        "t0": ["10.3.0.1/24"],
        "u0": ["10.4.0.1/24", "fd00:4::1/64"],
    }  # fmt: skip


def test_an_interface_without_an_ipv6_address_makes_none_for_itself(settings: World) -> None:
    seen = links(settings, "host")
    for name in ("br0", "v0", "v1", "t0"):
        assert [one["local"] for one in seen[name]["addr_info"] if one["family"] == "inet6"] == []


def test_routes_of_both_versions_are_those_of_the_file(settings: World) -> None:
    four = json.loads(settings.labctl("exec", "host", "--", "ip", "-j", "route", "show", "proto", "static").stdout)
    six = json.loads(settings.labctl("exec", "host", "--", "ip", "-6", "-j", "route", "show", "proto", "static").stdout)
    assert {(r["dst"], r.get("gateway"), r["dev"], r.get("metric")) for r in four} == {
        ("172.16.0.0/16", "10.2.0.9", "v0", 10),
        ("172.16.0.0/16", "10.2.0.8", "v0", 20),
        ("172.17.0.1", None, "br0", None),
        ("default", "10.2.1.9", "v0", None),
    }
    assert {(r["dst"], r.get("gateway"), r["dev"], r.get("metric")) for r in six} == {
        ("fd00:5::/64", "fd00:4::9", "u0", 77),
        ("fd00:6::/64", None, "u0", 1024),
    }


def test_sysctls_are_those_of_the_file(settings: World) -> None:
    names = ["ip_forward", "conf/v0/rp_filter", "ip_default_ttl"]
    text = settings.labctl("exec", "host", "--", "cat", *(f"/proc/sys/net/ipv4/{name}" for name in names)).stdout
    assert text.split() == ["1", "2", "33"]


def test_a_second_up_of_a_lab_with_every_setting_has_nothing_to_do(settings: World) -> None:
    assert settings.json("up", str(settings.home / "settings.yaml"))["changes"] == []


DRIFT = {
    "ip addr del 10.2.1.1/24 dev v0": "host:v0",
    "ip addr add 10.2.2.1/24 dev v0": "host:v0",
    "ip link set u0 mtu 1300": "host:u0",
    "ip link del t0": "host:t0",
    "ip link set br0 down": "host:br0",
    "ip route del 172.17.0.1": "host",
    "ip route add 172.18.0.0/16 dev br0": "host",
    "echo 64 >/proc/sys/net/ipv4/ip_default_ttl": "host",
}


def test_up_repairs_what_was_changed_by_hand(settings: World) -> None:
    file = str(settings.home / "settings.yaml")
    for change, subject in DRIFT.items():
        settings.labctl("exec", "host", "--", "sh", "-c", change)
        changes = settings.json("up", file)["changes"]
        assert subject in {change["subject"] for change in changes}, change
    assert settings.json("up", file)["changes"] == []


TUNNEL = """\
name: tunnel
namespaces:
  a:
    interfaces:
      eth0: {{kind: veth, peer: "b:eth0", addresses: ["{under_a}"]}}
      tun0: {{kind: tun, addresses: ["{over_a}"]}}
  b:
    interfaces:
      eth0: {{kind: veth, peer: "a:eth0", addresses: ["{under_b}"]}}
      tun0: {{kind: tun, addresses: ["{over_b}"]}}
ttun:
  - {{device: "a:tun0", bind: "{bind_a}", peer: "{bind_b}"}}
  - {{device: "b:tun0", bind: "{bind_b}", peer: "{bind_a}"}}
checks:
  - {{name: there, ping: {{from: a, to: "{to_b}"}}, crosses: ["a:tun0", "b:tun0"], wait: 10}}
  - {{name: back, ping: {{from: b, to: "{to_a}"}}, crosses: ["b:tun0", "a:tun0"], wait: 10}}
  - {{name: large, ping: {{from: a, to: "{to_b}", size: 1600}}, wait: 10}}
  - {{name: tcp, nc: {{from: a, to: b, address: "{to_b}", port: 80, send: hello, reply: world}}}}
"""
UNDER = {
    4: {"under_a": "192.0.2.1/30", "under_b": "192.0.2.2/30", "bind_a": "192.0.2.1:9000", "bind_b": "192.0.2.2:9000"},
    6: {
        "under_a": "2001:db8::1/64",
        "under_b": "2001:db8::2/64",
        "bind_a": "[2001:db8::1]:9000",
        "bind_b": "[2001:db8::2]:9000",
    },
}
OVER = {
    4: {"over_a": "10.0.0.1/24", "over_b": "10.0.0.2/24", "to_a": "10.0.0.1", "to_b": "10.0.0.2"},
    6: {"over_a": "fd00::1/64", "over_b": "fd00::2/64", "to_a": "fd00::1", "to_b": "fd00::2"},
}


@pytest.mark.parametrize("over", [4, 6], ids=["IPv4", "IPv6"])
@pytest.mark.parametrize("under", [4, 6], ids=["in-IPv4", "in-IPv6"])
def test_a_tunnel_of_either_version_in_either_version(here: World, over: int, under: int) -> None:
    here.labctl("up", here.file("tunnel.yaml", TUNNEL.format(**UNDER[under], **OVER[over])))
    verdict = here.json("verify")
    assert verdict["passed"], [check for check in verdict["checks"] if not check["passed"]]
    mtu = here.json("status")["namespaces"]["a"]["interfaces"]["tun0"]["mtu"]
    assert mtu == 1500 - {4: 28, 6: 48}[under]
    here.labctl("down")


OWNED = """\
name: owned
namespaces:
  host:
    interfaces:
      lo: {{kind: lo, addresses: [10.8.0.1/32, 10.8.0.2/32]}}
      tun0: {{kind: tun, owner: "{owner}", addresses: [10.7.0.1/24]}}
"""


def ttun_as(here: World, user: int) -> list[str]:
    endpoint = ["tun0", "10.8.0.1", "9000", "10.8.0.2", "9000"]
    become = ["setpriv", "--reuid", str(user), "--regid", str(user), "--clear-groups"]
    return ["ip", "netns", "exec", "host", *become, sys.executable, "-m", "labctl.engine.ttun", "-v", *endpoint]


def test_the_owner_of_a_tun_needs_no_root_to_serve_it(as_root: World) -> None:
    as_root.labctl("up", as_root.file("owned.yaml", OWNED.format(owner=ORDINARY_UID)))
    engine = as_root.start(ttun_as(as_root, ORDINARY_UID))

    # The carrier follows at once; the state of RFC 2863 only when the kernel comes to it (net/core/link_watch.c).
    def attached() -> bool:
        tun0 = as_root.json("status")["namespaces"]["host"]["interfaces"]["tun0"]
        return engine.poll() is not None or bool(tun0["carrier"])

    eventually(attached, "the engine has the device")
    assert engine.poll() is None
    engine.terminate()
    assert engine.wait() == 0
    as_root.labctl("down")


def test_another_user_may_not_serve_it(as_root: World) -> None:
    as_root.labctl("up", as_root.file("owned.yaml", OWNED.format(owner=ORDINARY_UID)))
    done = as_root.run(*ttun_as(as_root, ORDINARY_UID + 1), code=3)
    assert len(done.stderr.splitlines()) <= 3
    as_root.labctl("down")


def test_an_owner_who_does_not_exist_is_told_before_anything_is_made(here: World) -> None:
    before = here.snapshot()
    said = here.labctl("up", here.file("owned.yaml", OWNED.format(owner="no-such-user")), code=2).stderr
    assert "no-such-user" in said and len(said.splitlines()) <= 3
    assert here.snapshot() == before


def test_without_root_another_owner_is_replaced_and_told(as_user: World) -> None:
    made = as_user.json("up", as_user.file("owned.yaml", OWNED.format(owner=ORDINARY_UID + 1)))
    assert [(told["subject"], told["wanted"]) for told in made["substitutions"]] == [
        ("host:tun0", f"owner {ORDINARY_UID + 1}")
    ]
    as_user.labctl("down")


def test_without_root_oneself_is_an_owner_like_any_other(as_user: World) -> None:
    assert as_user.json("up", as_user.file("owned.yaml", OWNED.format(owner=as_user.uid)))["substitutions"] == []
    as_user.labctl("down")


def test_an_engine_of_root_gives_up_root(as_root: World) -> None:
    as_root.labctl("up", "two-site")
    for pid in as_root.processes_titled("ttun "):
        with open(f"/proc/{pid}/status") as file:
            status = dict(line.rstrip("\n").split(":\t", 1) for line in file if ":\t" in line)
        assert set(status["Uid"].split()) == {"65534"}
        assert int(status["CapEff"], 16) == int(status["CapPrm"], 16) == int(status["CapBnd"], 16) == 0
    as_root.labctl("down")


EDGES = """\
name: edges
namespaces:
  host:
    interfaces:
      a.1: {kind: veth, peer: "host:1e3", addresses: [10.9.0.1/0, 0.1.2.3/24, 10.8.0.0/31, "fd00::1/0", "::1.2.3.4/96"]}
      1e3: {kind: veth, peer: "host:a.1", mtu: 65535}
      tap: {kind: tap, owner: 4294967294, mtu: 65521, addresses: [240.0.0.1/1, 10.9.1.255/24]}
    routes: [{to: 255.255.255.255/32, dev: a.1, metric: 4294967295}, {to: "ff00::/8", dev: a.1}]
    sysctls: {net.ipv4.conf.a/1.rp_filter: 2, net.ipv4.tcp_rmem: "4096  87380 6291456"}
"""


def test_the_last_values_that_the_kernel_takes_are_taken(as_root: World) -> None:
    file = as_root.file("edges.yaml", EDGES)
    as_root.labctl("up", file)
    assert links(as_root, "host")["tap"]["linkinfo"]["info_data"]["user"] == 4294967294
    assert as_root.json("up", file)["changes"] == []
    as_root.labctl("down")
