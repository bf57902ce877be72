"""The names of a lab: which address each means, asked from where."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

from hypothesis import given
from hypothesis import strategies as st

from labctl.topology.hosts_file import THE_LAB, about_the_lab, hosts_file
from labctl.topology.hosts_lines import hosts_lines
from labctl.topology.load import load, loads
from labctl.topology.model import Namespace, Topology
from labctl.topology.rename import renamed
from labctl.topology.routed import Routed
from labctl.topology.routing import Fib
from labctl.topology.shipped import find
from labctl.topology.values import Host
from tests.plan.test_plan import topologies


def resolved(lines: str) -> dict[str, list[str]]:
    """What each name means, as the resolver reads the lines (hosts(5))."""
    found: dict[str, list[str]] = {}
    for address, *names in map(str.split, lines.splitlines()):
        for name in names:
            found.setdefault(name, []).append(address)
    return found


def callable_addresses(space: Namespace) -> Iterator[Host]:
    for interface in space.interfaces.values():
        yield from (own.ip for own in interface.addresses if not (own.ip.is_loopback or own.ip.is_link_local))


def of(text: str) -> dict[str, dict[str, list[str]]]:
    topology = loads(f"name: lab\nnamespaces:\n{text}", "lab.yaml")
    return {name: resolved(lines) for name, lines in hosts_lines(topology).items()}


def test_the_lab_of_the_readme() -> None:
    both = hosts_lines(load(find("two-site")))
    assert (
        both["siteA"]
        == both["siteB"]
        == (
            "10.0.1.1\tsiteA siteA.dummy0\n192.0.2.1\tsiteA.wan0\n10.0.101.1\tsiteA.tun0\n"
            "10.0.2.1\tsiteB siteB.dummy1\n192.0.2.2\tsiteB.wan0\n10.0.102.1\tsiteB.tun1\n"
        )
    )


def test_a_bare_name_is_an_address_that_is_reached_from_there_else_the_first() -> None:
    names = of("""\
  r1:
    interfaces:
      lo: {kind: lo, addresses: [10.255.0.1/32]}
      a: {kind: veth, peer: "r2:a", addresses: [10.1.0.1/24, "fd00:1::1/64"]}
  r2:
    interfaces:
      lo: {kind: lo, addresses: [10.255.0.2/32, "fd00:ff::2/128"]}
      a: {kind: veth, peer: "r1:a", addresses: [10.1.0.2/24, "fd00:1::2/64"]}
      b: {kind: veth, peer: "h:b", addresses: [10.2.0.1/24]}
  h:
    interfaces: {b: {kind: veth, peer: "r2:b", addresses: [10.2.0.2/24]}}
    routes: [{to: default, via: 10.2.0.1}]
  alone: {}
""")
    assert names["r1"]["r2"] == ["10.1.0.2", "fd00:1::2"]  # not what a routing daemon has yet to tell
    assert names["r2"]["r2"] == ["10.255.0.2", "fd00:ff::2"]  # its own first
    assert names["h"]["r2"] == ["10.255.0.2"]  # behind the default route; no IPv6, for which there is none
    assert names["r1"]["h"] == names["alone"]["h"] == ["10.2.0.2"]
    assert names["alone"]["r2"] == ["10.255.0.2"]  # no way to any
    assert names["r1"]["r2.lo"] == ["10.255.0.2", "fd00:ff::2"]
    assert "alone" not in names["r1"] and names["alone"]["alone"] == ["127.0.1.1"]


def test_names_that_are_taken_stay_with_the_first() -> None:
    names = of("""\
  localhost: {interfaces: {x: {kind: dummy, addresses: [10.1.0.1/24]}}}
  a: {interfaces: {b: {kind: dummy, addresses: [10.2.0.1/24, 127.9.9.9/32, "fe80::1/64"]}}}
  a.b: {interfaces: {c: {kind: dummy, addresses: [10.3.0.1/24]}}}
  A: {interfaces: {c: {kind: dummy, addresses: [10.4.0.1/24]}}}
""")["a"]
    assert names == {
        "localhost.x": ["10.1.0.1"],
        "a": ["10.2.0.1"],
        "a.b": ["10.3.0.1"],
        "a.b.c": ["10.3.0.1"],
        "A.c": ["10.4.0.1"],
    }


def test_in_a_renamed_lab_the_prefix_may_be_left_out() -> None:
    plain = Routed.of(load(find("two-site")))
    for here, lines in hosts_lines(renamed(plain, "mine").topology).items():
        names = resolved(lines)
        assert {name: names[name] for name in names if not name.startswith("mine-")} == {
            name.removeprefix("mine-"): addresses for name, addresses in names.items() if name.startswith("mine-")
        }
        assert names == names | resolved(hosts_lines(plain.topology)[here.removeprefix("mine-")])


@given(topologies())
def test_every_name_means_what_it_says(topology: Topology) -> None:
    for here, lines in hosts_lines(topology).items():
        fib, names = Fib.of(topology.namespaces[here]), resolved(lines)
        for name, space in topology.namespaces.items():
            own = list(callable_addresses(space))
            found = [ipaddress.ip_address(address) for address in names.pop(name, ())]
            if not own:
                assert list(map(str, found)) == (["127.0.1.1"] if name == here else [])
                continue
            assert len({host.version for host in found}) == len(found) > 0
            assert set(found) <= set(own)
            if name == here:
                assert found[0] == own[0]
            elif topology.namespaces[here].rules == () and any(
                fib.ways(host) for host in own if host.version == found[0].version
            ):
                plain = all(route.type == "unicast" for route in topology.namespaces[here].routes)
                assert not plain or fib.ways(found[0])
            for interface, each in space.interfaces.items():
                meant = names.pop(f"{name}.{interface}", [])
                assert meant == [str(address.ip) for address in each.addresses if address.ip in own]
        assert names == {}


MACHINES = """\
# mine
127.0.0.1 localhost
127.0.1.1\tvm.example vm siteA # me
::1 localhost ip6-localhost
10.9.9.9 elsewhere
"""


def test_the_machine_keeps_what_it_says_of_itself_alone() -> None:
    assert hosts_file(MACHINES, "10.0.1.1\tsiteA siteA.wan0\n") == (
        "127.0.0.1\tlocalhost\n127.0.1.1\tvm.example vm\n::1\tlocalhost ip6-localhost\n"
        "# the lab\n10.0.1.1\tsiteA siteA.wan0\n"
    )
    assert hosts_file("", "") == "127.0.0.1\tlocalhost\n::1\tlocalhost\n# the lab\n"


@given(st.text(), st.text().map(lambda text: text.replace(THE_LAB, "")))
def test_what_a_file_says_of_the_lab_is_found_again(machines: str, lab: str) -> None:
    assert about_the_lab(hosts_file(machines, lab)) == lab
