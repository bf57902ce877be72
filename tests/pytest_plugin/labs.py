"""Topology files of the tests, and what pytest is told to run beside them."""

from __future__ import annotations

from tests.e2e.labs import tunnel

LOCAL = """\
  - name: local
    description: A site's own address answers.
    ping: {from: siteA, to: 192.0.2.1, count: 1}
"""
ACROSS = """\
  - name: across
    description: The other site answers through the tunnel.
    ping: {from: siteA, to: 10.0.102.1, count: 2, timeout: 0.3}
    crosses: ["siteA:tun0", "siteB:tun1"]
"""
SILENT = """\
  - name: silent
    ping: {from: siteA, to: 10.0.102.9, count: 1, timeout: 0.3}
    expect: no-reply
"""

GOOD = tunnel(checks=LOCAL + ACROSS)
NO_ROUTE = tunnel(route_a="", checks=LOCAL + ACROSS + SILENT)
CANNOT_START = tunnel(
    ttun_b='{device: "siteB:tun1", bind: "192.0.2.2:9000", peer: "192.0.2.1:9000", engine: {command: ./gone}}',
    checks=LOCAL + ACROSS,
)
MISTAKES = tunnel(checks=LOCAL.replace("siteA", "siteC"))
NEEDS = tunnel(
    route_a="",
    checks=f"""\
  - name: then
    needs: [across]
    ping: {{from: siteA, to: 192.0.2.2, count: 1}}
{ACROSS}""",
)
