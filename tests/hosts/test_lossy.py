"""What a cable loses is told by the next beat, and so it is known also where a ping waits less long than for that."""

from __future__ import annotations

from tests.hosts.conftest import Wire
from tests.hosts.machines import dropping

LAB = """
name: brief
hosts: {srv1: {ports: 47000-47009}, srv2: {ports: 47000-47009}}
namespaces:
  a: {host: srv1, interfaces: {w: {kind: veth, peer: "b:w", addresses: [10.4.0.1/24]}}}
  b: {host: srv2, interfaces: {w: {kind: veth, peer: "a:w", addresses: [10.4.0.2/24]}}}
checks:
  - {name: usual, ping: {from: a, to: 10.4.0.2, count: 1}}
  - {name: brief, ping: {from: a, to: 10.4.0.2, count: 1, timeout: 0.05}}
"""


def test_a_loss_is_known_within_a_beat(wire: Wire) -> None:
    near = wire.near
    near.labctl("up", near.file("brief.yaml", LAB))
    near.labctl("verify", "usual")
    with dropping(wire.srv2, "udp dport 47000-47009 meta length 140-160"):  # which a beat is not
        for _ in range(3):
            (cause,) = near.json("verify", "brief", code=1)["diagnosis"]
            assert (cause["hop"], cause["reason"]) == ("b:w", "engine-drop"), cause
    near.labctl("down")
