"""Labs of many shapes, as topologies."""

from __future__ import annotations

import random
from collections.abc import Iterable
from typing import Any

from labctl.topology.model import Topology


def lab(name: str, cables: Iterable[tuple[str, str]], alone: Iterable[str] = ()) -> Topology:
    """A lab of cables between namespaces, each with a /30 of its own, and of namespaces without any."""
    spaces: dict[str, dict[str, Any]] = {space: {} for space in alone}
    for number, (one, other) in enumerate(cables):
        network = f"10.{number // 64}.{number % 64 * 4}"
        here = f"eth{len(spaces.setdefault(one, {}))}"
        spaces[one][here] = {}
        there = f"eth{len(spaces.setdefault(other, {}))}"
        spaces[one][here] = {"kind": "veth", "peer": f"{other}:{there}", "addresses": [f"{network}.1/30"]}
        spaces[other][there] = {"kind": "veth", "peer": f"{one}:{here}", "addresses": [f"{network}.2/30"]}
    return Topology.read({"name": name, "namespaces": {n: {"interfaces": i} for n, i in spaces.items()}})


def chain(number: int) -> Topology:
    return lab("chain", ((f"n{i}", f"n{i + 1}") for i in range(number - 1)), ["n0"])


def ring(number: int) -> Topology:
    return lab("ring", ((f"n{i}", f"n{(i + 1) % number}") for i in range(number)))


def star(number: int) -> Topology:
    return lab("star", (("hub", f"leaf{i}") for i in range(number - 1)), ["hub"])


def mesh(number: int) -> Topology:
    return lab("mesh", ((f"r{i}", f"r{j}") for j in range(number) for i in range(j)))


def tree() -> Topology:
    """A core, four routers, five hosts each."""
    hosts = [(f"dist{d}", f"h{d}{h}") for d in range(4) for h in range(5)]
    return lab("tree", [*(("core", f"dist{d}") for d in range(4)), *hosts])


def apart(number: int) -> Topology:
    return lab("apart", (), (f"n{i}" for i in range(number)))


def anyhow(number: int, cables: int, seed: int) -> Topology:
    """Namespaces that hang together, with some more cables between them."""
    chance = random.Random(seed)
    joined = [(f"n{chance.randrange(max(0, i - 6), i)}", f"n{i}") for i in range(1, number)]
    more = [tuple(chance.sample(range(number), 2)) for _ in range(cables - number + 1)]
    return lab("anyhow", [*joined, *((f"n{one}", f"n{other}") for one, other in more)])


def vpn(spokes: int) -> Topology:
    """A hub with a tunnel to every spoke; all of them go over one router."""
    joined = lab("vpn", [("hub", "router"), *(("router", f"spoke{i}") for i in range(spokes))])
    tree = joined.written()
    spaces, ends = tree["namespaces"], []
    spaces["router"]["sysctls"] = {"net.ipv4.ip_forward": 1}
    spaces["hub"]["routes"] = [{"to": "default", "via": "10.0.0.2"}]
    for i in range(spokes):
        gateway, address = f"10.0.{4 * i + 4}.1", f"10.0.{4 * i + 4}.2"
        spaces[f"spoke{i}"]["routes"] = [{"to": "default", "via": gateway}]
        spaces["hub"]["interfaces"][f"tun{i}"] = {"kind": "tun", "addresses": [f"10.200.{i}.1/30"]}
        spaces[f"spoke{i}"]["interfaces"]["tun0"] = {"kind": "tun", "addresses": [f"10.200.{i}.2/30"]}
        ends.append({"device": f"hub:tun{i}", "bind": f"10.0.0.1:{9000 + i}", "peer": f"{address}:9000"})
        ends.append({"device": f"spoke{i}:tun0", "bind": f"{address}:9000", "peer": f"10.0.0.1:{9000 + i}"})
    return Topology.read(tree | {"ttun": ends})


SHAPES = {
    "one": chain(1),
    "two": chain(2),
    "chain of 5": chain(5),
    "chain of 30": chain(30),
    "ring of 5": ring(5),
    "ring of 30": ring(30),
    "star of 5": star(5),
    "star of 30": star(30),
    "mesh of 3": mesh(3),
    "mesh of 5": mesh(5),
    "mesh of 8": mesh(8),
    "tree of 25": tree(),
    "30 apart": apart(30),
    "12 anyhow": anyhow(12, 18, 1),
    "30 anyhow": anyhow(30, 45, 3),
    "vpn of 3": vpn(3),
    "vpn of 28": vpn(28),
}
