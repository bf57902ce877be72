"""Addresses of a cable that tunnels are bound to by a wildcard: edited or changed by hand, no tunnel is left dead."""

from __future__ import annotations

from tests.e2e.forwarder import COMMAND, forwarder
from tests.e2e.world import World

# Three tunnels over one cable. Site A is bound to wildcards: the built-in engine for IPv4 and IPv6, and a program.
LAB = """\
name: wild
namespaces:
  siteA:
    interfaces:
      wan0: {kind: veth, peer: "siteB:wan0", addresses: [192.0.2.FIRST/24, "fd00:1::FIRST/64"]}
      tun4: {kind: tun, addresses: [10.4.0.1/24]}
      tun6: {kind: tun, addresses: [10.6.0.1/24]}
      mine: {kind: tun, addresses: [10.9.0.1/24]}
  siteB:
    interfaces:
      wan0: {kind: veth, peer: "siteA:wan0", addresses: [192.0.2.200/24, "fd00:1::200/64"]}
      tun4: {kind: tun, addresses: [10.4.0.2/24]}
      tun6: {kind: tun, addresses: [10.6.0.2/24]}
      mine: {kind: tun, addresses: [10.9.0.2/24]}
ttun:
  - {device: "siteA:tun4", bind: "0.0.0.0:9004", peer: "192.0.2.200:9004"}
  - {device: "siteA:tun6", bind: "[::]:9006", peer: "[fd00:1::200]:9006"}
  - {device: "siteA:mine", bind: "0.0.0.0:9009", peer: "192.0.2.200:9009", engine: {command: "./my_ttun.py WORDS"}}
  - {device: "siteB:tun4", bind: "192.0.2.200:9004", peer: "192.0.2.FIRST:9004"}
  - {device: "siteB:tun6", bind: "[fd00:1::200]:9006", peer: "[fd00:1::FIRST]:9006"}
  - {device: "siteB:mine", bind: "192.0.2.200:9009", peer: "192.0.2.FIRST:9009"}
checks:
  - {name: over-IPv4, ping: {from: siteA, to: 10.4.0.2, timeout: 0.5}, crosses: ["siteA:tun4", "siteB:tun4"]}
  - {name: over-IPv6, ping: {from: siteA, to: 10.6.0.2, timeout: 0.5}, crosses: ["siteA:tun6", "siteB:tun6"]}
  - {name: by-a-program, ping: {from: siteA, to: 10.9.0.2, timeout: 0.5}}
"""


def lab(here: World, first: int) -> str:
    """The file, with this last number in the addresses of site A."""
    here.file("my_ttun.py", forwarder())
    (here.home / "my_ttun.py").chmod(0o755)
    return here.file("lab.yaml", LAB.replace("FIRST", str(first)).replace("WORDS", COMMAND))


def pids(here: World) -> dict[str, int]:
    """The engines of a lab that is as its file says."""
    status = here.json("status")
    assert status["drift"] == []
    return {engine["device"]: engine["pid"] for engine in status["engines"]}


def test_no_edit_and_no_hand_leaves_a_dead_tunnel_that_plan_is_silent_about(here: World) -> None:
    file = lab(here, 1)
    here.labctl("up", file)
    assert here.json("verify")["passed"]
    began = pids(here)

    for change in ("del 192.0.2.1/24", "add 192.0.2.7/24", "del fd00:1::1/64"):
        here.labctl("exec", "siteA", "--", "ip", "addr", *change.split(), "dev", "wan0")
    # The built-in engine leaves from what there is now; the file says that this is not to be.
    assert here.json("plan", file, code=1)["changes"]
    here.labctl("up", file)
    assert here.json("verify")["passed"]
    assert pids(here) == began

    file = lab(here, 9)
    planned = here.json("plan", file, code=1)["changes"]
    why = "its UDP socket has the address 192.0.2.1, which no interface has by the file"
    assert {change["reason"] for change in planned if change["subject"] == "siteA:mine"} == {why}
    here.labctl("up", file)
    assert here.json("verify")["passed"]
    now = pids(here)
    assert {device for device in now if now[device] == began[device]} == {"siteA:tun4", "siteA:tun6"}
    here.labctl("down")
