"""The firewall of a namespace: made as the file says, compared with what the kernel has, replaced at once."""

from __future__ import annotations

from typing import Any

from tests.e2e.world import World

NAT = """\
name: nat
namespaces:
  host:
    interfaces:
      eth0: {kind: veth, peer: "gw:lan0", addresses: [10.0.0.2/24, "fd00::2/64"]}
    routes: [{to: 0.0.0.0/0, via: 10.0.0.1}, {to: "::/0", via: "fd00::1"}]
  gw:
    interfaces:
      lan0: {kind: veth, peer: "host:eth0", addresses: [10.0.0.1/24, "fd00::1/64"]}
      wan0: {kind: veth, peer: "outside:eth0", addresses: [192.0.2.1/24, "fd99::1/64"]}
    masquerade: wan0
    sysctls: {net.ipv4.ip_forward: 1, net.ipv6.conf.all.forwarding: 1}
  outside:
    interfaces:
      eth0: {kind: veth, peer: "gw:wan0", addresses: [192.0.2.2/24, "fd99::2/64"]}
checks:
  - name: ipv4
    ping: {from: host, to: 192.0.2.2, timeout: 0.5}
    crosses: ["host:eth0", "gw:lan0", "gw:wan0", "outside:eth0"]
  - name: ipv6
    ping: {from: host, to: "fd99::2", timeout: 0.5}
  - name: tcp
    nc: {from: host, to: outside, address: 192.0.2.2, port: 80, reply: "Hello yourself"}
  - name: from-outside
    ping: {from: outside, to: 10.0.0.2, timeout: 0.5}
    expect: not-sent
"""
WITHOUT_NFT = {"PATH": "/nonexistent"}
TABLE = "table inet labctl-masquerade"


def told(changes: list[Any]) -> list[str]:
    return [f"{change['subject']} {change['change']} ({change['reason']})" for change in changes]


def in_gw(lab: World, command: str) -> None:
    lab.labctl("exec", "gw", "--", "sh", "-ec", command)


def test_a_namespace_masquerades_without_any_program(here: World) -> None:
    file = here.file("nat.yaml", NAT)
    here.labctl("up", file, env=WITHOUT_NFT)
    assert here.json("verify")["passed"]
    assert here.json("status")["namespaces"]["gw"]["nftables"] == [
        {"family": "inet", "name": "labctl-masquerade", "chains": 1, "rules": 1}
    ]
    assert here.json("up", file, env=WITHOUT_NFT)["changes"] == []
    here.labctl("up", here.file("nat.yaml", NAT.replace("    masquerade: wan0\n", "")), env=WITHOUT_NFT)
    assert here.json("status")["namespaces"]["gw"]["nftables"] == []
    assert not here.json("verify", code=None)["passed"]
    here.labctl("down")


CHANGED = {
    "nft add rule inet labctl-masquerade postrouting oifname lan0 masquerade": [
        f'gw masquerade wan0 ({TABLE}, chain postrouting: rule 2 `oifname "lan0" masquerade` is not in the file)'
    ],
    "nft flush chain inet labctl-masquerade postrouting": [
        f'gw masquerade wan0 ({TABLE}, chain postrouting: rule 1 `oifname "wan0" masquerade` is not there)'
    ],
    "nft insert rule inet labctl-masquerade postrouting ip daddr 192.0.2.2 accept": [
        f"gw masquerade wan0 ({TABLE}, chain postrouting: rule 1 `ip daddr 192.0.2.2 accept` is not in the file)"
    ],
    "nft add chain inet labctl-masquerade more": [f"gw masquerade wan0 ({TABLE}, chain more is not in the file)"],
    "nft flush ruleset": [f"gw masquerade wan0 ({TABLE} is not there)"],
    "nft add table inet mine": ["gw nftables table inet mine (0 chains, 0 rules) (is not in the file)"],
    f"nft -f - <<EOF\nadd table inet mine\n{TABLE} {{ flags dormant; }}\nEOF": [
        "gw nftables table inet mine (0 chains, 0 rules) (is not in the file)",
        f"gw masquerade wan0 ({TABLE}: is `dormant`, not `active`)",
    ],
}


def test_what_a_hand_changes_of_it_is_named_and_repaired(here: World) -> None:
    file = here.file("nat.yaml", NAT)
    here.labctl("up", file)
    for command, expected in CHANGED.items():
        in_gw(here, command)
        assert told(here.json("status")["drift"]) == expected, command
        assert told(here.json("up", file)["changes"]) == expected, command
        assert here.json("plan", file)["changes"] == [], command
    assert here.json("verify")["passed"]
    here.labctl("down")


def test_the_interfaces_that_masquerade_follow_the_file(here: World) -> None:
    file = here.file("nat.yaml", NAT)
    here.labctl("up", file)
    here.file("nat.yaml", NAT.replace("masquerade: wan0", "masquerade: [lan0, wan0]"))
    assert told(here.json("up", file)["changes"]) == ["gw masquerade lan0, masquerade wan0 (is masquerade wan0)"]
    here.file("nat.yaml", NAT.replace("masquerade: wan0", "masquerade: lan0"))
    here.labctl("up", file)
    assert not here.json("verify", "ipv4", code=None)["passed"]
    here.file("nat.yaml", NAT)
    here.labctl("up", file)
    assert here.json("verify")["passed"]
    here.labctl("down")


def test_only_ip_versions_that_the_namespace_has_are_translated(here: World) -> None:
    ipv4 = NAT.replace(', "fd00::2/64"', "").replace(', "fd00::1/64"', "").replace(', {to: "::/0", via: "fd00::1"}', "")
    ipv4 = ipv4.replace(', "fd99::1/64"', "").replace(', "fd99::2/64"', "")
    ipv4 = ipv4.replace("""\
  - name: ipv6
    ping: {from: host, to: "fd99::2", timeout: 0.5}
""", "")  # fmt: skip
    here.labctl("up", here.file("nat.yaml", ipv4))
    said = here.labctl("exec", "gw", "--", "nft", "list", "ruleset").stdout
    assert 'meta nfproto ipv4 oifname "wan0" masquerade' in said
    assert here.json("verify")["passed"]
    here.labctl("up", here.file("nat.yaml", NAT))
    assert here.json("verify")["passed"]
    here.labctl("down")


def test_a_namespace_that_masquerades_and_forwards_nothing_is_warned_of(as_user: World) -> None:
    said = as_user.json("validate", as_user.file("nat.yaml", NAT.replace("    sysctls:", "    #")))
    (warning,) = said["warnings"]
    assert warning["what"] == "'gw' masquerades, and forwards nothing: it has no net.ipv4.ip_forward"
    assert (warning["line"], warning["hint"]) == (11, "sysctls: {net.ipv4.ip_forward: 1}")
