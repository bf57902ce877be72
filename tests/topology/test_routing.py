"""The tables against a slow oracle that compares bits, written as text, from the longest prefix to the shortest."""

from __future__ import annotations

import ipaddress

from hypothesis import given, settings
from hypothesis import strategies as st

from labctl.topology.load import loads
from labctl.topology.model import Namespace
from labctl.topology.routing import Decision, Fib
from labctl.topology.values import Host, Network
from tests.e2e.labs import ROUTED

# Few and near each other, so that prefixes overlap.
BYTES = st.integers(0, 3)
HOSTS = st.builds(lambda a, b: f"10.0.{a}.{b}", BYTES, BYTES) | st.builds(lambda a, b: f"fd00::{a}:{b}", BYTES, BYTES)
LENGTHS = st.sampled_from([0, 6, 16, 22, 24, 30, 31, 32])
NAMES = st.sampled_from(["one", "two", "lo"])


def network(host: str, length: int) -> str:
    return str(ipaddress.ip_network(f"{host}/{length + 96 if ':' in host else length}", strict=False))


def prefix(host: str, length: int) -> str:
    return f"{host}/{length + 96 if ':' in host else length}"


NETWORKS = st.builds(network, HOSTS, LENGTHS)
INTERFACES = st.dictionaries(NAMES, st.lists(st.builds(prefix, HOSTS, LENGTHS), max_size=3), max_size=3)
ROUTES = st.lists(st.tuples(NETWORKS, HOSTS | st.none(), NAMES | st.none(), st.integers(0, 3) | st.none()), max_size=5)


def namespace(
    interfaces: dict[str, list[str]], routes: list[tuple[str, str | None, str | None, int | None]]
) -> Namespace:
    return Namespace.read({
        "interfaces": {
            name: {"kind": "lo" if name == "lo" else "dummy", "addresses": addresses}
            for name, addresses in interfaces.items()
        },
        "routes": [
            {"to": to, "via": via, "dev": dev, "metric": metric}
            for to, via, dev, metric in routes
            if (via or dev) and (via is None or (":" in via) == (":" in to))
        ],
    })  # fmt: skip


def bits(network: str) -> tuple[int, str]:
    """The version and the leading bits that a network fixes."""
    parsed = ipaddress.ip_network(network)
    width = parsed.max_prefixlen
    return parsed.version, f"{int(parsed.network_address):0{width}b}"[: parsed.prefixlen]


def oracle(inside: Namespace, address: str) -> Decision | None:
    version, wanted = bits(address)

    def covers(network: object, host_bits: str) -> bool:
        its_version, its_bits = bits(str(network))
        return its_version == version and host_bits.startswith(its_bits)

    every = [(name, own) for name, interface in inside.interfaces.items() for own in interface.addresses]
    for name, own in every:
        if bits(str(own.ip)) == (version, wanted) and not (
            name == "lo" and version == 4 and 0 < own.network.prefixlen < 32
        ):
            return Decision(name, local=True)
    every = [(name, own) for name, own in every if (own.version, own.network.prefixlen) not in ((4, 0), (4, 32))]
    if version == 4 and any(name == "lo" and covers(own.network, wanted) for name, own in every):
        return Decision("lo", local=True)
    table: list[tuple[Network, int, str, Host | None]] = [  # (network, metric, interface, next hop)
        (own.network, 0 if version == 4 else 256, name, None)
        for name, own in every
        # Nobody's network and that of one address alone get no route (fib_add_ifaddr()).
        if not (own.version == 4 and (str(own.network).startswith("0.") or own.network.prefixlen == 32))
    ]
    links = [(to, name) for to, _, name, _ in table if name != "lo"]
    for route in inside.routes:
        metric = route.metric or (0 if route.to.version == 4 else 1024)
        if route.via is None:
            table.append((route.to, metric, str(route.dev), None))
            links.append((route.to, str(route.dev)))
            continue
        if version == 6:
            # Its own best route, of that interface where one is named, which leads to it directly.
            hop_ways = [way for way in table if route.via in way[0] and route.dev in (None, way[2])]
            longest = [way for way in hop_ways if way[0].prefixlen == max(each[0].prefixlen for each in hop_ways)]
            best = min(longest, key=lambda way: way[1], default=None)
            if best is not None and best[3] is None and best[2] != "lo":
                table.append((route.to, metric, best[2], route.via))
            continue
        hop = bits(str(route.via))[1]
        for length in range(128, -1, -1):
            at = [
                name for to, name in links if to.prefixlen == length and route.via in to and route.dev in (None, name)
            ]
            if at and hop:
                table.append((route.to, metric, at[0], route.via))
                break
    for length in range(128, -1, -1):
        equal = [way for way in table if way[0].prefixlen == length and covers(way[0], wanted)]
        for _, _, name, via in sorted(equal, key=lambda way: way[1]):
            return Decision(name, via)
    return None


@settings(deadline=None, max_examples=300)
@given(INTERFACES, ROUTES, HOSTS)
def test_the_lookup_is_what_the_oracle_says(interfaces, routes, address) -> None:  # type: ignore[no-untyped-def]
    inside = namespace(interfaces, routes)
    assert Fib.of(inside).lookup(ipaddress.ip_address(address)) == oracle(inside, address)


def test_the_way_of_a_packet() -> None:
    text = """
        name: lab
        namespaces:
          a:
            interfaces:
              wan0: {kind: dummy, addresses: [192.0.2.1/30]}
              tun0: {kind: tun, addresses: [10.0.101.1/24]}
            routes:
              - {to: 10.0.0.0/8, dev: tun0}
              - {to: 10.0.2.0/24, via: 192.0.2.2}
              - {to: 10.0.3.0/24, via: 192.0.2.2, metric: 20}
              - {to: 10.0.3.0/24, dev: tun0, metric: 10}
    """
    fib = Fib.of(loads(text, "lab.yaml").namespaces["a"])

    def way(address: str) -> Decision | None:
        return fib.lookup(ipaddress.ip_address(address))

    assert way("10.0.101.1") == Decision("tun0", local=True)
    assert way("127.0.0.5") == Decision("lo", local=True)
    assert way("10.0.101.2") == Decision("tun0")
    assert way("10.0.2.9") == Decision("wan0", ipaddress.ip_address("192.0.2.2"))
    assert way("10.0.3.9") == Decision("tun0")
    assert way("10.9.9.9") == Decision("tun0")
    assert way("198.51.100.1") is None
    assert way("fd00::1") is None


def test_rules_say_in_which_table_a_packet_is_looked_up() -> None:
    """What the kernel says of the same is asked in tests/e2e/test_routes.py."""
    fib = Fib.of(loads(ROUTED, "routed.yaml").namespaces["r"])

    def ways(address: str, source: str | None = None, arrived: str = "lo") -> list[str]:
        sender = ipaddress.ip_address(source) if source else None
        found = fib.ways(ipaddress.ip_address(address), sender, arrived)
        return [f"{way.interface} {way.via}" for way in found]

    assert ways("10.9.0.1") == ["one 10.1.0.2"]
    assert ways("10.9.0.1", "10.2.0.1") == ["two 10.2.0.2"]  # rule 101
    assert ways("10.9.3.1") == ["two 10.2.0.2"]  # rule 100
    assert ways("10.9.2.1") == ["one 10.1.0.2"]  # thrown back by table 100
    assert ways("10.9.9.1") == ways("10.9.8.1") == ways("10.9.7.1") == []  # refused
    assert ways("10.9.55.1", "10.1.0.2", "one") == [] and ways("10.9.55.1") == ["one 10.1.0.2"]  # iif
    assert ways("10.9.22.1") == ["one 10.1.0.2"]  # found by a /16, which rule 106 suppresses, and then by main
    assert ways("198.51.100.1") == []  # rule 102: not in 10.0.0.0/8
    assert ways("10.9.11.1") == []  # a mark decides, which no file says
    assert ways("10.9.4.1") == ["one 10.1.0.2", "two None", "two fd00:2::2"]
