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
