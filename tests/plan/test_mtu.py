"""The MTU of a tunnel, worked out by hand for every underlay."""

from __future__ import annotations

import pytest

from labctl.plan.mtu import tunnel_mtus
from labctl.topology.load import loads
from labctl.topology.values import InterfaceRef

LAB = """\
name: lab
namespaces:
  a:
    interfaces:
      lo: {{kind: lo, addresses: [10.9.9.1/32]}}
      eth0: {{kind: veth, peer: "b:eth0", addresses: [192.0.2.1/24, "2001:db8::1/64"]{mtu}}}
      tun0: {{kind: tun, addresses: [{inner}]}}
  b:
    interfaces:
      eth0: {{kind: veth, peer: "a:eth0", addresses: [192.0.2.2/24, "2001:db8::2/64"]}}
      tun0: {{kind: tun}}
ttun: [{{device: "a:tun0", bind: "{bind}", peer: "{peer}"}}]
"""
FOUR, SIX = ("192.0.2.1:9", "192.0.2.2:9"), ("[2001:db8::1]:9", "[2001:db8::2]:9")


def mtu(ends: tuple[str, str], underlay: int | None = None, inner: str = "") -> int | None:
    text = LAB.format(mtu="" if underlay is None else f", mtu: {underlay}", inner=inner, bind=ends[0], peer=ends[1])
    return tunnel_mtus(loads(text, "lab.yaml")).get(InterfaceRef("a", "tun0"))


@pytest.mark.parametrize(
    ("ends", "underlay", "expected"),
    [
        (FOUR, None, 1472),
        (SIX, None, 1452),
        (FOUR, 9000, 8972),
        (SIX, 9000, 8952),
        (FOUR, 1400, 1372),
        (SIX, 1400, 1352),
    ],
)
def test_the_headers_are_taken_off_what_the_underlay_carries(
    ends: tuple[str, str], underlay: int | None, expected: int
) -> None:
    assert mtu(ends, underlay) == expected


def test_ipv6_in_the_tunnel_keeps_the_least_that_it_needs() -> None:
    assert mtu(FOUR, 1300, '"fd00::1/64"') == 1280


def test_a_device_without_an_engine_keeps_the_default_of_the_kernel() -> None:
    text = LAB.format(mtu="", inner="", bind=FOUR[0], peer=FOUR[1])
    assert InterfaceRef("b", "tun0") not in tunnel_mtus(loads(text, "lab.yaml"))


def test_a_peer_on_the_same_host_has_no_underlay_to_heed() -> None:
    assert mtu(("192.0.2.1:9", "10.9.9.1:9")) is None
