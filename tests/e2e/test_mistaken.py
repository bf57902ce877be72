"""A lab that is as its file says, where the file is not as it was meant: the line is named that is to be changed."""

from __future__ import annotations

from typing import Any

import pytest

from tests.e2e.world import World

TWICE = """\
name: twice
namespaces:
  left:
    interfaces:
      eth0: {kind: veth, peer: "right:eth0", addresses: [192.0.2.1/24]}
      eth1: {kind: veth, peer: "third:eth0", addresses: [192.0.2.2/24]}
  right: {interfaces: {eth0: {kind: veth, peer: "left:eth0", addresses: [192.0.2.3/24]}}}
  third: {interfaces: {eth0: {kind: veth, peer: "left:eth1", addresses: [192.0.2.4/24]}}}
checks:
  - {name: fails, ping: {from: left, to: 192.0.2.4, count: 1}}
"""
AROUND = """\
name: around
namespaces:
  left:
    interfaces: {eth0: {kind: veth, peer: "router:a", addresses: [10.0.0.1/24]}}
    routes: [{to: default, via: 10.0.0.254}]
  router:
    sysctls: {net.ipv4.ip_forward: 1}
    interfaces:
      a: {kind: veth, peer: "left:eth0", addresses: [10.0.0.254/24]}
      b: {kind: veth, peer: "right:eth0", addresses: [10.0.0.253/24]}
  right: {interfaces: {eth0: {kind: veth, peer: "router:b", addresses: [10.0.0.2/24]}}}
checks:
  - {name: fails, nc: {from: left, to: right, address: 10.0.0.2, port: 8000, protocol: tcp, send: hi}}
"""
ANSWERS = """\
name: answers
namespaces:
  left: {interfaces: {eth0: {kind: veth, peer: "right:eth0", addresses: [192.0.2.1/24]}}}
  right: {interfaces: {eth0: {kind: veth, peer: "left:eth0", addresses: [192.0.2.2/24]}}}
checks:
  - {name: fails, ping: {from: left, to: 192.0.2.2, count: 1}, expect: no-reply}
"""
APART = """\
name: apart
namespaces:
  left: {interfaces: {eth0: {kind: veth, peer: "right:eth0", addresses: [192.0.2.1/24]}}}
  right: {interfaces: {eth0: {kind: veth, peer: "left:eth0", addresses: [192.0.3.2/24]}}}
checks:
  - {name: fails, ping: {from: left, to: 192.0.3.2, count: 1}}
"""


def only_cause(here: World) -> dict[str, Any]:
    (cause,) = here.json("verify", "fails", code=1)["diagnosis"]
    assert isinstance(cause, dict)
    return cause


@pytest.mark.parametrize(
    ("text", "hop", "reason", "words", "line"),
    [
        (TWICE, "left:eth0", "address-elsewhere", "192.0.2.4, which third:eth0 has on the link of left:eth1", 8),
        (AROUND, "left:eth0", "address-elsewhere", "10.0.0.2, which right:eth0 has on another link", 11),
        (APART, "left", "no-route", "left has no route to 192.0.3.2", 3),
        (ANSWERS, "right:eth0", "answered", "has the address 192.0.2.2 by the file, and answers", 4),
    ],
)
def test_the_line_is_named_that_is_not_as_it_was_meant(
    here: World, text: str, hop: str, reason: str, words: str, line: int
) -> None:
    file = here.file("mistaken.yaml", text)
    here.labctl("up", file)
    for _ in range(2):  # the second time while the kernel still knows that nobody has answered
        cause = only_cause(here)
        assert (cause["hop"], cause["reason"]) == (hop, reason)
        assert words in cause["words"] and f"mistaken.yaml:{line}: " in cause["fix"]
    here.labctl("down")
