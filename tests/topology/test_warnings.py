"""What is no mistake and most likely not meant: told with its place, and no more."""

from __future__ import annotations

import pytest

from labctl.topology.load import load, loads, warnings
from labctl.topology.mistakes import Mistake
from labctl.topology.shipped import find, names
from tests.e2e.labs import tunnel


def warned(text: str) -> tuple[Mistake, ...]:
    return warnings(loads(text, "lab.yaml"), text, "lab.yaml")


@pytest.mark.parametrize("name", names())
def test_nothing_that_ships_is_warned_of(name: str) -> None:
    assert warnings(load(find(name)), find(name).read_text(), name) == ()


def test_a_peer_that_no_endpoint_is_bound_to() -> None:
    text = tunnel(ttun_b='{device: "siteB:tun1", bind: "192.0.2.2:9001", peer: "192.0.2.1:9000"}')
    first, second = warned(text)
    line = text.splitlines()[first.line - 1]
    assert "no endpoint is bound to the peer 192.0.2.2:9000" in first.what
    assert line[first.column - 1 :].startswith('"192.0.2.2:9000"')
    assert "siteB:tun1 is bound to 192.0.2.2:9001" in first.hint
    assert "siteA:tun0, which is bound to 192.0.2.1:9000, takes datagrams of 192.0.2.2:9000 alone" in second.what


def test_an_endpoint_without_another_end() -> None:
    (only,) = warned(tunnel(ttun_b=""))
    assert "no endpoint is bound to the peer 192.0.2.2:9000" in only.what
    assert "run a program there" in only.hint


def test_a_wildcard_is_bound_to_every_address_of_its_namespace() -> None:
    everywhere = '{device: "siteB:tun1", bind: "0.0.0.0:9000", peer: "192.0.2.1:9000"}'
    assert warned(tunnel(ttun_b=everywhere)) == ()
    elsewhere = '{device: "siteB:tun1", bind: "0.0.0.0:9000", peer: "192.0.2.9:9000"}'
    assert len(warned(tunnel(ttun_b=elsewhere))) == 2


def test_a_host_that_no_namespace_is_on() -> None:
    (only,) = warned("name: lab\nhosts: {srv1: {}, srv2: {}}\nnamespaces: {a: {host: srv1}, b: {host: srv1}}\n")
    assert (only.what, only.line) == ("no namespace is on the host 'srv2'", 2)


def test_a_host_of_a_namespace_where_the_file_has_no_hosts() -> None:
    """So a file can be for one machine, and for several with an inventory."""
    (only,) = warned("name: lab\nnamespaces: {a: {host: srv1}, b: {host: srv2}}\n")
    assert (only.what, only.line) == ("the lab is on this machine alone: the file has no `hosts`", 2)


def cable(one: str, other: str, more: str = "") -> str:
    return f"""name: lab
namespaces:
  a:
    interfaces: {{eth0: {{kind: veth, peer: "b:eth0", addresses: [{one}]}}}}{more}
  b:
    interfaces: {{eth0: {{kind: veth, peer: "a:eth0", addresses: [{other}]}}}}
"""


@pytest.mark.parametrize(("one", "other"), [("192.0.2.1/24", "192.0.3.3/24"), ("fd00::1/64", "fd01::1/64")])
def test_the_ends_of_a_cable_without_a_network_in_common(one: str, other: str) -> None:
    (only,) = warned(cable(one, other))
    assert (only.what, only.line) == ("a:eth0 and b:eth0 are the ends of a cable, and have no network in common", 4)
    assert only.hint == f"b:eth0 has {other}: give both addresses of one network"


@pytest.mark.parametrize(
    ("one", "other", "more"),
    [
        ("192.0.2.1/30", "192.0.2.2/30", ""),
        ("192.0.2.1/24", "192.0.2.200/30", ""),  # the one finds the other: it is the prefix length that is to be found
        ("192.0.2.1/30, fd01::1/64", "192.0.2.2/30, fe80::2/64", "") ,
        ("10.0.0.1/32", "10.0.0.2/32", "\n    routes: [{to: 10.0.0.2/32, dev: eth0}]"),
        ("192.0.2.1/24", "fd00::1/64", ""),
    ],
)  # fmt: skip
def test_ends_of_a_cable_that_find_each_other(one: str, other: str, more: str) -> None:
    assert warned(cable(one, other, more)) == ()


TWICE = """name: lab
namespaces:
  a:
    interfaces:
      eth0: {kind: veth, peer: "b:eth0", addresses: [192.0.2.1/24]}
      eth1: {kind: veth, peer: "c:eth0", addresses: [192.0.2.2/24]}
  b: {interfaces: {eth0: {kind: veth, peer: "a:eth0", addresses: [192.0.2.3/24]}}}
  c: {interfaces: {eth0: {kind: veth, peer: "a:eth1", addresses: [192.0.2.4/24]}}}
"""


def test_two_links_of_a_namespace_with_one_network() -> None:
    (only,) = warned(TWICE)
    assert only.what == "c:eth0 is on the link of a:eth1, and packets to it (192.0.2.4) leave by a:eth0"
    assert (only.hint, only.line) == ("give each link a network of its own", 6)
    ruled = TWICE.replace("  a:\n", "  a:\n    rules: [{priority: 10, to: 192.0.2.4/32, table: 10}]\n")
    assert warned(ruled) == ()
    assert warned(TWICE.replace("192.0.2.2/24", "192.0.2.2/32")) == ()


def test_a_router_with_one_link_local_address_on_each_of_its_links() -> None:
    text = TWICE
    for number, address in ((1, "fe80::1"), (2, "fe80::1"), (3, "fe80::3"), (4, "fe80::4")):
        text = text.replace(f"192.0.2.{number}/24", f'"{address}/64"')
    assert warned(text) == ()
