"""Topologies near the edges of what a file may say: right ones in which a few values are replaced by odd ones.

A new key of the model needs a place in one of `WHOLE` and its odd values in `ODD`; nothing else.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

from hypothesis import strategies as st

Path = tuple[str | int, ...]

NAMES = [
    *("a", "b", "0", "-a", "_", "a.b", "a:b", "a%d", "%", "..", "lo", "all", "default", "dev", "up", "null", "1e3", ""),
    *("a" * 15, "a" * 16, "a" * 40, "a" * 60, "ä", "a b", "a/b", "'a", "a\n", "$(a)", "none", "auto", "host"),
]
HOSTS = [
    *("10.0.0.1", "10.0.0.2", "10.0.0.9", "10.0.0.0", "10.0.0.255", "0.0.0.0", "127.0.0.1", "255.255.255.255"),
    *("224.0.0.1", "169.254.0.1", "::", "::1", "fd00::1", "fd00::2", "fd00::9", "fe80::1", "fe80::1%a", "ff02::1"),
    *("::ffff:10.0.0.1", "::ffff:a00:1", "::10.0.0.1", "64:ff9b::10.0.0.1", "2002:a00:1::", "10.0.0.01", "0x7f.1"),
]
LENGTHS = ["0", "1", "8", "24", "30", "31", "32", "33", "64", "96", "127", "128", "129", "024", "-1", "255.255.255.0"]
PORTS = ["1", "9", "80", "65535", "0", "65536", "080", " 9", "9 ", "٩", "-1", "1e1"]
NUMBERS = [0, 1, 7, 8, 67, 68, 1279, 1280, 1500, 9000, 65000, 65521, 65535, 65536, 2**32 - 1, 2**32, -1, 1.5, True, "5"]
SOCKETS = [f"[{host}]:{port}" if ":" in host else f"{host}:{port}" for host in HOSTS for port in PORTS]
PREFIXES = [f"{host}/{length}" for host in HOSTS for length in LENGTHS]
REFS = ["a:x", "a:t", "b:x", "b:t", "a:lo", "s:br", "s:p", "a:a:x", "a:", ":x", "ä:x", "c:x"]
WORDS = [
    "%",
    "{}",
    "'",
    '"',
    "\\",
    "ä",
    "\u2028",
    "\x1b[31m",
    "$(reboot)",
    "`a`",
    "a\nb",
    "-v",
    "--",
    "x" * 300,
    "#",
    "!",
]
MACS = ["02:00:00:00:00:01", "02:00:00:00:00:0A", "02-00-00-00-00-01", "0200.0000.0001", "01:00:00:00:00:00", "ff" * 6]

ODD: dict[str, list[Any]] = {
    "name": [*NAMES, *WORDS],
    "description": WORDS,
    "pass": WORDS,
    "fail": WORDS,
    "send": [*WORDS, "x" * 65000],
    "reply": [*WORDS, "x" * 65000],
    "kind": ["dummy", "veth", "bridge", "tun", "tap", "lo", "vlan"],
    "mac": MACS,
    "mtu": NUMBERS,
    "owner": [*NAMES, 0, 65534, "nobody", "root", 2**32 - 2, 2**32 - 1, "9" * 20, "007"],
    "addresses": PREFIXES,
    "ports": [*NAMES, *PORTS, "47000-47099", "47000", "47000-47001", "2-1", 5],
    "host": [*NAMES, "srv1", "srv2", "srv3"],
    "hosts": [True, False, {}, {"srv1": None}, {"srv1": {}, "srv3": {}}, [], "srv1"],
    "hosts_file": [True, False, {}],
    "ssh": [*HOSTS, *WORDS, "lab@srv1", "ssh://lab@[fd00::1]:22", "ssh://srv1:0", "srv1:22", "-l root", "a@-b", "@"],
    "peer": [*REFS, *SOCKETS],
    "bind": SOCKETS,
    "device": REFS,
    "crosses": REFS,
    "quiet": REFS,
    "to": [*HOSTS, *PREFIXES, *NAMES, "default"],
    "via": HOSTS,
    "nft": [*WORDS, " ", "include \"x\"", "table inet a {\n}\n", "EOF\n", 5, True],
    "masquerade": [*NAMES, ["x", "x"], ["lo"], ["p"], [], True],
    "lladdr": MACS,
    "proxy": [True, False, "yes"],
    "address": HOSTS,
    "dev": NAMES,
    "from": [*NAMES, *HOSTS, "0.0.0.0/0", "::/0", "10.0.0.0/8"],
    "type": ["unicast", "blackhole", "unreachable", "prohibit", "throw", "local", "nat"],
    "src": HOSTS,
    "in": NAMES,
    "url": ["http://a/", "http://[fd01::2]:8/", "http://[::1", "https://a/", "http://a:0/", "//", 5],
    "stdout": ["", "(", "a{99999}", "(?P<a>b)", True],
    "json": [{}, {"": None}, {"a": {"b": []}}, [], "a"],
    "is": [[], HOSTS, "10.0.0.1", [1]],
    "needs": [["ping"], ["route", "exec"], ["none"], "ping"],
    "table": [*NUMBERS, "main", "local", "default", 252, 255, 256, "mine", "0x10"],
    "onlink": [True, False, "yes", 1],
    "weight": NUMBERS,
    "priority": [*NUMBERS, 32765, 32766, 32767],
    "family": ["inet", "inet6", "ipv4", 4],
    "not": [True, False, 1],
    "iif": NAMES,
    "oif": NAMES,
    "fwmark": [*NUMBERS, "0x1/0xff", "1/0", "0/0", "0xffffffff/0xffffffff", "0x", "1/2/3", "0b1"],
    "ipproto": ["udp", "ipv6-icmp", "quic", 0, 1, 89, 255, 256],
    "sport": [*PORTS, "80-90", "90-80", "1-65535"],
    "dport": [*PORTS, "80-90", "80-80", "-1"],
    "suppress_prefixlength": [0, 32, 33, 128, 129, -1],
    **dict.fromkeys(("window", "advmss", "hoplimit", "initcwnd", "initrwnd"), NUMBERS),
    "port": PORTS,
    "metric": NUMBERS,
    "count": [1, 3, 1000, 1001, 0],
    "size": NUMBERS,
    "interval": [0.002, 0.001, 60, 61, 1e-9, 5],
    "timeout": [1e-9, 0, 60, 61, 0.3],
    "wait": [0, 600, 601, 0.5],
    "seed": [0, 1, 2**63, 2**64 - 1, 2**64, -1, "7"],
    "delay": ["0ms", "1ns", "50ms", "1h", "292years", "1e9s", "-1ms", "5"],
    "jitter": ["0ms", "1ns", "50ms", "60ms", "1e9s"],
    "loss": ["0%", "100%", "101%", "0.1", "1e-9%", "5"],
    "rate": ["1bit", "8bit", "10mbit", "1tbit", "1e400bit", "0", "7"],
    "too_big": ["fragment", "icmp", "drop"],
    "expect": ["reply", "no-reply", "delivered", "not-delivered", "not-sent"],
    "protocol": ["tcp", "udp", "sctp"],
    "command": ["./x", "./x {device} {peer_port}", "{{}}", "{0}", "{device!r}", "{device!z}", "{device:>9}",
        "{device:d}", "{device.x}", "{device[0]}", "{device:{bind_port}}", "{", "'", "''", "-", "a\tb"],
    "cwd": [".", "..", "/", "", "a b", "a\nb", "~", "%"],
    "after": ["p", "q", "z:p", "z:q", "a:p", ":", "z:", ":p", "p:q:r"],
    "user": [*NAMES, 0, 65534, "nobody", 2**32 - 1],
    "restart": ["never", "on-failure", "always", "no", True],
    "stop_signal": ["INT", "SIGINT", "int", "KILL", "RTMIN", 9, ""],
    "tcp": PORTS,
    "udp": PORTS,
    "log": [".*", "a", "(", "[", "\\", "a\nb", "^$", 5, True, "(a+)+$", "\x00"],
    "within": [0, 1e-9, 600, 601, "5", True],
    "env": [*WORDS, 1, -5, 1.5, True, "a\x00b", ["a"]],
    "directory": [".", "..", "/", "", "a b", "a\nb", "~", "%"],
    "verbose": [True, False, "yes", 1],
    "offload": [True, False, "no", 0],
    "server": [True, False, 0, *HOSTS],
    "sysctls": [*NAMES, 0, 1, -1, "1 2", "1\t2", True, "\x00"],
}  # fmt: skip

TUNNELS: dict[str, Any] = {
    "name": "edge",
    "description": "Two tunnels, one in the other, over a switch.",
    "namespaces": {
        "a": {
            "interfaces": {
                "x": {"kind": "veth", "peer": "s:p", "addresses": ["10.0.0.1/24", "fd00::1/64"], "mtu": 9000},
                "t": {"kind": "tun", "addresses": ["10.1.0.1/24", "fd01::1/64"], "owner": "nobody"},
                "u": {"kind": "tun", "addresses": ["10.2.0.1/24"], "mtu": 1400},
                "d": {"kind": "dummy", "addresses": ["10.3.0.1/24"], "mac": "02:00:00:00:00:07"},
            },
            "routes": [
                {"to": "default", "via": "10.0.0.2"},
                {"to": "fd09::/16", "via": "fd00::2", "dev": "x", "metric": 5},
                {"to": "10.9.0.0/16", "dev": "t"},
            ],
            "sysctls": {"net.ipv4.ip_forward": 1, "net.ipv4.conf.x.rp_filter": 0, "net.ipv6.conf.all.forwarding": "1"},
        },
        "b": {
            "interfaces": {
                "lo": {"kind": "lo", "addresses": ["10.8.0.1/32"]},
                "x": {"kind": "veth", "peer": "s:q", "addresses": ["10.0.0.2/24", "fd00::2/64"]},
                "t": {"kind": "tun", "addresses": ["10.1.0.2/24", "fd01::2/64"]},
                "u": {"kind": "tun", "addresses": ["10.2.0.2/24"]},
            },
        },
        "s": {
            "interfaces": {
                "br": {"kind": "bridge", "ports": ["p", "q", "r"], "mtu": 1500, "mac": "02:00:00:00:00:09"},
                "p": {"kind": "veth", "peer": "a:x", "impair": {"delay": "1ms", "jitter": "1ms", "rate": "10mbit"}},
                "q": {"kind": "veth", "peer": "b:x"},
                "r": {"kind": "tap", "owner": "nobody"},
            }
        },
    },
    "ttun": [
        {"device": "a:t", "bind": "10.0.0.1:9", "peer": "10.0.0.2:9", "impair": {"delay": "5ms", "loss": "1%"}},
        {"device": "b:t", "bind": "0.0.0.0:9", "peer": "10.0.0.1:9", "too_big": "icmp", "verbose": True},
        {"device": "a:u", "bind": "[fd01::1]:9", "peer": "[fd01::2]:9", "impair_in": {"loss": "1%", "seed": 7}},
        {"device": "b:u", "bind": "[fd01::2]:9", "peer": "[fd01::1]:9", "offload": False,
         "engine": {"command": "./x {device} '{bind_address}' {peer_port}", "directory": "."}},
    ],
    "checks": [
        {"name": "ping", "ping": {"from": "a", "to": "10.1.0.2", "count": 3, "size": 56, "interval": 0.05,
         "timeout": 1.0}, "expect": "reply", "crosses": ["a:t", "b:t"], "quiet": ["a:u"], "wait": 1.0},
        {"name": "nc", "nc": {"from": "a", "to": "b", "address": "10.2.0.2", "port": 80, "protocol": "udp",
         "send": "a", "reply": "b", "timeout": 1, "server": True}, "expect": "delivered", "pass": "yes", "fail": "no"},
        {"name": "exec", "exec": {"in": "a", "command": "x 'y z'", "exit": 0, "stdout": "^a.*b$", "timeout": 1,
         "json": {"0.a.b": 1, "c": [None, True, {"d": 1.5}]}, "cwd": "."}, "needs": ["ping", "nc"]},
        {"name": "http", "http": {"from": "a", "url": "http://10.2.0.2:80/x?y", "status": 200, "body": "a|b",
         "redirects": 1, "timeout": 1}, "expect": "reply", "needs": ["exec"]},
        {"name": "dns", "dns": {"from": "a", "name": "www.lab", "is": ["10.2.0.2"], "type": "A", "server": "10.2.0.2",
         "port": 53, "timeout": 1}},
        {"name": "route", "route": {"in": "a", "to": "10.2.0.2", "via": "10.2.0.2", "dev": "t", "src": "10.1.0.2"}},
    ],
}  # fmt: skip
SITES: dict[str, Any] = {
    "name": "sites",
    "hosts": {"srv1": {"address": "192.0.2.10", "ports": "47000-47099"}, "srv2": {"ssh": "lab@srv2.example"}},
    "hosts_file": True,
    "namespaces": {
        "h": {"host": "srv1", "interfaces": {"e": {"kind": "veth", "peer": "r:e", "addresses": ["10.0.0.5/24"]}}},
        "r": {
            "host": "srv1",
            "interfaces": {
                "e": {"kind": "veth", "peer": "h:e", "addresses": ["10.0.0.1/24"]},
                "w": {"kind": "veth", "peer": "n:w", "addresses": ["192.0.2.1/31"], "mtu": 1300},
                "t": {"kind": "tun"},
            },
            "masquerade": "w",
            "nft": "table inet fw {\n\tchain in {\n\t\ttype filter hook input priority 0;\n\t}\n}\n",
            "routes": [{"to": "0.0.0.0/0", "via": "192.0.2.0"}],
            "sysctls": {"net.ipv4.conf.all.forwarding": 1},
        },
        "n": {"host": "srv2", "interfaces": {"w": {"kind": "veth", "peer": "r:w", "addresses": ["192.0.2.0/31"]}}},
        "z": {
            "host": "srv2",
            "interfaces": {"e": {"kind": "dummy", "addresses": ["10.0.0.5/24"]}},
            "programs": [
                {"name": "p", "command": "./x '{device}' $A", "ready": {"tcp": 80, "within": 5}, "after": ["q", "z:r"],
                 "env": {"A": "b"}, "cwd": "www", "user": "nobody", "restart": "always", "stop_signal": "INT"},
                {"name": "q", "command": "q", "ready": {"udp": 53}},
                {"name": "r", "command": "r -v", "ready": {"log": "listening on .*"}},
                {"name": "s", "command": "s", "ready": {"command": "./is-ready"}, "after": ["r"]},
            ],
        },
    },
    "ttun": [{"device": "r:t", "bind": "192.0.2.1:65535", "peer": "192.0.2.0:1"}],
}  # fmt: skip
ROUTER: dict[str, Any] = {
    "name": "router",
    "namespaces": {
        "r": {
            "interfaces": {
                "e": {"kind": "dummy", "addresses": ["10.0.0.1/24", "fd00::1/64"]},
                "f": {"kind": "dummy", "addresses": ["10.1.0.1/24", "fd01::1/64"]},
            },
            "routes": [
                {"to": "10.9.0.0/16", "via": "10.0.0.9", "src": "10.1.0.1", "table": 100, "mtu": 1400, "window": 9000,
                 "advmss": 1300, "hoplimit": 9, "initcwnd": 5, "initrwnd": 7, "metric": 5},
                {"to": "10.8.0.0/16", "type": "blackhole"},
                {"to": "10.7.0.0/16", "via": "192.0.2.9", "dev": "e", "onlink": True},
                {"to": "10.6.0.0/16", "via": "fd00::9"},
                {"to": "default", "nexthops": [{"via": "10.0.0.9", "weight": 3}, {"dev": "f"},
                 {"via": "192.0.2.7", "dev": "e", "onlink": True}, {"via": "fd01::9"}]},
                {"to": "fd09::/16", "nexthops": [{"via": "fd00::9"}, {"via": "fd01::9", "weight": 256}]},
            ],
            "rules": [
                {"priority": 100, "not": True, "from": "10.0.0.0/8", "to": "10.9.0.0/16", "iif": "e", "oif": "f",
                 "fwmark": "0x1/0xff", "ipproto": "udp", "sport": 53, "dport": "8000-8999", "table": 100,
                 "suppress_prefixlength": 0},
                {"priority": 101, "family": "inet6", "type": "prohibit"},
            ],
            "neighbours": [
                {"to": "10.0.0.9", "lladdr": "02:00:00:00:00:02", "dev": "e"},
                {"to": "fe80::9", "lladdr": "02:00:00:00:00:03", "dev": "f"},
                {"to": "192.0.2.9", "lladdr": "02:00:00:00:00:04", "dev": "e"},
                {"to": "10.1.0.9", "dev": "f", "proxy": True},
            ],
        }
    },
}  # fmt: skip
WHOLE = [TUNNELS, SITES, ROUTER]


def _values(tree: Any, path: Path = ()) -> Iterator[Path]:
    """The paths to every value that `ODD` knows others for."""
    if isinstance(tree, dict):
        for key, below in tree.items():
            yield from _values(below, (*path, key))
    elif isinstance(tree, list):
        for index, below in enumerate(tree):
            yield from _values(below, (*path, index))
    elif _key(path) in ODD:
        yield path


def _key(path: Path) -> str:
    named = [step for step in path if isinstance(step, str)]
    return next((key for key in ("sysctls", "env") if key in named), named[-1])


def _replaced(tree: Any, path: Path, value: Any) -> None:
    for step in path[:-1]:
        tree = tree[step]
    if value is None:
        del tree[path[-1]]
    else:
        tree[path[-1]] = copy.deepcopy(value)  # the second odd value may be put into it


@st.composite
def near_the_edge(draw: st.DrawFn) -> str:
    """The text of a topology with up to two odd values, which may be right or wrong."""
    tree = copy.deepcopy(draw(st.sampled_from(WHOLE)))
    for _ in range(draw(st.integers(0, 2))):
        path = draw(st.sampled_from(list(_values(tree))))
        _replaced(tree, path, draw(st.none() | st.sampled_from(ODD[_key(path)])))
    renamed = draw(st.none() | st.tuples(st.sampled_from(["a:x", "a:t", "b:t", "s:br"]), st.sampled_from(NAMES)))
    return _with_name(json.dumps(tree), *renamed) if renamed else json.dumps(tree)


def _with_name(text: str, ref: str, name: str) -> str:
    """The text with another name for an interface, wherever it is named with its namespace or as a key."""
    namespace, _, old = ref.partition(":")
    tree = json.loads(text.replace(f'"{ref}"', json.dumps(f"{namespace}:{name}")))
    interfaces = tree["namespaces"].get(namespace, {}).get("interfaces", {})
    if old in interfaces:
        interfaces[name] = interfaces.pop(old)
    return json.dumps(tree)
