"""What the programs and the lines of a file make by themselves stays, and checks through it are explained."""

from __future__ import annotations

from tests.e2e.test_drift import LOOP
from tests.e2e.world import World, eventually

LEASE = """\
name: lease
namespaces:
  server:
    interfaces: {eth0: {kind: veth, peer: "switch:one", addresses: [192.0.2.1/24]}}
  switch:
    interfaces:
      one: {kind: veth, peer: "server:eth0"}
      two: {kind: veth, peer: "client:eth0"}
      br0: {kind: bridge, ports: [one, two]}
  client:
    interfaces: {eth0: {kind: veth, peer: "switch:two"}}
    programs:
      - name: dhcp
        command: sh -c 'ip address add 192.0.2.9/24 dev eth0; ip route add default via 192.0.2.1; exec sleep 1000'
checks:
  - {name: server, ping: {from: client, to: 192.0.2.1, timeout: 0.5}, crosses: ["client:eth0", "server:eth0"]}
"""


def unchanged(here: World, file: str) -> str:
    """What a second `up` says, which finds nothing to do."""
    assert here.json("plan", file)["changes"] == []
    told = here.labctl("up", file).stdout
    assert "nothing to do" in told
    return told


def test_an_address_that_a_program_was_given_stays_and_its_packets_are_followed_through_a_switch(here: World) -> None:
    file = here.file("lease.yaml", LEASE)
    here.labctl("up", file)
    assert "addresses of eth0 in client (the file gives it none, and programs may)" in unchanged(here, file)
    assert here.json("verify")["passed"]
    here.labctl("exec", "server", "--", "sysctl", "-qw", "net.ipv4.icmp_echo_ignore_all=1")
    (cause,) = here.json("verify", code=1)["diagnosis"]
    assert (cause["hop"], cause["reason"]) == ("server", "echo-ignored")
    here.labctl("down")


def test_a_spanning_tree_that_lines_have_begun_stays(here: World) -> None:
    line = "    exec: [ip link set br0 type bridge stp_state 1]\n  "
    file = here.file("loop.yaml", LOOP.replace("  s2:\n", f"{line}s2:\n") + line.rstrip(" "))
    here.labctl("up", file)

    def is_blocked() -> bool:
        ports = (here.labctl("exec", space, "--", "bridge", "link").stdout for space in ("s1", "s2"))
        return "state blocking" in "".join(ports)

    eventually(is_blocked, "one of the ports is blocked")
    assert "type bridge stp_state of br0 (lines of `exec:` may have made it)" in unchanged(here, file)
    assert is_blocked()
    here.labctl("down")
