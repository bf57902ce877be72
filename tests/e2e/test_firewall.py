"""The firewall of a namespace: made as the file says, compared with what the kernel has, replaced at once."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from tests.e2e.world import World
from tests.programs import needed

NAT = """\
name: nat
namespaces:
  host:
    interfaces:
      eth0: {kind: veth, peer: "gw:lan0", mac: "02:00:00:00:00:01", addresses: [10.0.0.2/24, "fd00::2/64"]}
    routes: [{to: 0.0.0.0/0, via: 10.0.0.1}, {to: "::/0", via: "fd00::1"}]
  gw:
    interfaces:
      lan0: {kind: veth, peer: "host:eth0", mac: "02:00:00:00:00:02", addresses: [10.0.0.1/24, "fd00::1/64"]}
      wan0: {kind: veth, peer: "outside:eth0", mac: "02:00:00:00:00:03", addresses: [192.0.2.1/24, "fd99::1/64"]}
    masquerade: wan0
    sysctls: {net.ipv4.ip_forward: 1, net.ipv6.conf.all.forwarding: 1}
  outside:
    interfaces:
      eth0: {kind: veth, peer: "gw:wan0", mac: "02:00:00:00:00:04", addresses: [192.0.2.2/24, "fd99::2/64"]}
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
GUARDED = """\
name: guarded
namespaces:
  client:
    interfaces:
      eth0: {kind: veth, peer: "fw:lan0", addresses: [10.0.0.2/24]}
    routes: [{to: default, via: 10.0.0.1}]
  fw:
    interfaces:
      lan0: {kind: veth, peer: "client:eth0", addresses: [10.0.0.1/24]}
      dmz0: {kind: veth, peer: "server:eth0", addresses: [10.1.0.1/24]}
    sysctls: {net.ipv4.ip_forward: 1}
    nft: |
      # what the client may ask of the server
      table inet fw {
          set ports { type inet_service; elements = { 80, 443 }; }
          set seen { type ipv4_addr; flags dynamic; timeout 1m; }
          counter web { }
          chain forward {
              type filter hook forward priority filter; policy drop;
              ct state established,related accept
              iif "lan0" oif "dmz0" tcp dport @ports counter name web add @seen { ip saddr } accept
              iif "lan0" icmp type { echo-request, timestamp-request } counter accept
          }
      }
    masquerade: dmz0
  server:
    interfaces:
      eth0: {kind: veth, peer: "fw:dmz0", addresses: [10.1.0.2/24]}
checks:
  - {name: ping, ping: {from: client, to: 10.1.0.2, timeout: 0.5}}
  - {name: web, nc: {from: client, to: server, address: 10.1.0.2, port: 80, reply: hello}}
  - name: ssh
    nc: {from: client, to: server, address: 10.1.0.2, port: 22, timeout: 0.3}
    expect: not-delivered
    crosses: ["client:eth0", "fw:lan0"]
    quiet: ["server:eth0"]
"""
WITHOUT_NFT = {"PATH": "/nonexistent"}
TABLE = "table inet labctl-masquerade"
FORWARD = "fw nft ruleset of 12 lines, masquerade dmz0 (table inet fw, chain forward"


@pytest.fixture(autouse=True)
def _nft() -> None:
    needed("nft")


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
    assert here.json("plan", file)["changes"] == [] and here.json("verify")["passed"]
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


def test_a_ruleset_is_made_and_counts_what_passes(here: World) -> None:
    file = here.file("guarded.yaml", GUARDED)
    here.labctl("up", file)
    assert here.json("verify")["passed"]
    # What has been counted, and who was seen, is no drift.
    assert here.json("plan", file)["changes"] == []
    said = here.labctl("status").stdout
    assert ["fw", "table", "inet", "fw", "1", "3"] in [line.split() for line in said.splitlines()]
    here.labctl("down")


EDITED_BY_HAND = {
    "nft add element inet fw ports '{ 22 }'": "set ports: element 22 is not in the file",
    "nft delete element inet fw ports '{ 80 }'": "set ports: element 80 is not there",
    "nft add rule inet fw forward accept": "chain forward: rule 4 `accept` is not in the file",
    "nft 'chain inet fw forward { policy accept; }'": "chain forward: is `type filter hook forward priority 0; policy "
    "accept;`, not `type filter hook forward priority 0; policy drop;`",
    "nft delete counter inet fw web 2>/dev/null || nft add set inet fw more '{ type ipv4_addr; }'": "set more is not",
    "nft add chain inet fw input": "chain input is not in the file",
    "nft add table inet fw '{ flags dormant; }'": "is `dormant`, not `active`",
}


def test_what_a_hand_changes_of_a_ruleset_is_named_and_repaired(here: World) -> None:
    file = here.file("guarded.yaml", GUARDED)
    here.labctl("up", file)
    for command, expected in EDITED_BY_HAND.items():
        here.labctl("exec", "fw", "--", "sh", "-ec", command)
        (drift,) = here.json("status")["drift"]
        assert drift["subject"] == "fw" and expected in drift["reason"], command
        assert here.json("up", file)["changes"] == [drift]
    assert here.json("plan", file)["changes"] == [] and here.json("verify")["passed"]
    here.labctl("down")


def test_a_rule_is_deleted_by_its_handle_and_is_named(here: World) -> None:
    file = here.file("guarded.yaml", GUARDED)
    here.labctl("up", file)
    listed = here.labctl("exec", "fw", "--", "nft", "-a", "list", "chain", "inet", "fw", "forward").stdout
    handle = next(line.rpartition(" ")[2] for line in listed.splitlines() if "icmp type" in line)
    here.labctl("exec", "fw", "--", "nft", "delete", "rule", "inet", "fw", "forward", "handle", handle)
    (line,) = told(here.json("plan", file, code=1)["changes"])
    assert line.startswith(f'{FORWARD}: rule 3 `iif "lan0" icmp type {{ echo-request, timestamp-request }}'), line
    assert line.endswith("is not there)")
    here.labctl("up", file)
    assert here.json("verify")["passed"]
    here.labctl("down")


def test_a_rule_that_knows_an_interface_by_its_number_follows_a_new_one(here: World) -> None:
    file = here.file("guarded.yaml", GUARDED)
    here.labctl("up", file)
    here.labctl("exec", "fw", "--", "ip", "link", "del", "lan0")
    done = told(here.json("up", file)["changes"])
    assert any('rule 2 is `iif 2 oif "dmz0"' in line or "rule 2 is `iif 3" in line for line in done), done
    assert here.json("plan", file)["changes"] == [] and here.json("verify")["passed"]
    here.labctl("down")


def test_an_edited_ruleset_takes_the_place_of_the_old_one(here: World) -> None:
    """Also with tables of other names: nothing of the old one is removed beforehand."""
    here.labctl("up", here.file("guarded.yaml", GUARDED))
    edited = GUARDED.replace("table inet fw {", "table ip other {").replace("echo-request, ", "")
    file = here.file("guarded.yaml", edited)
    (line,) = told(here.json("up", file)["changes"])
    assert line == ("fw nft ruleset of 12 lines, masquerade dmz0 (line 2 of the ruleset was `table inet fw {`)")
    tables = here.json("status")["namespaces"]["fw"]["nftables"]
    assert [(each["family"], each["name"]) for each in tables] == [("ip", "other"), ("inet", "labctl-masquerade")]
    assert here.json("plan", file)["changes"] == []
    assert not here.json("verify", "ping", code=None)["passed"]
    without = here.file(
        "guarded.yaml", edited[: edited.index("    nft: |")] + edited[edited.index("    masquerade:") :]
    )
    assert told(here.json("up", without)["changes"]) == [
        "fw masquerade dmz0 (is nft ruleset of 12 lines, masquerade dmz0)"
    ]
    here.labctl("down")


WRONG = GUARDED.replace("tcp dport @ports", "tcp dprot @ports").replace('iif "lan0" icmp', 'iif "lan9" icmp')
MISTAKES = """\
guarded.yaml:21:41: nft: syntax error, unexpected string
  21 |               iif "lan0" oif "dmz0" tcp dprot @ports counter name web add @seen { ip saddr } accept
     |                                         ^
guarded.yaml:22:19: nft: Interface does not exist
  22 |               iif "lan9" icmp type { echo-request, timestamp-request } counter accept
     |                   ^
     = known here: lan0, dmz0
"""


@pytest.mark.parametrize("words", [("up",), ("plan",), ("validate",), ("up", "--name", "mine")], ids=" ".join)
def test_a_ruleset_that_does_not_parse_is_a_mistake_of_the_file(here: World, words: tuple[str, ...]) -> None:
    here.file("guarded.yaml", WRONG)
    said = here.labctl(words[0], "guarded.yaml", *words[1:], code=2)
    assert said.stderr.endswith(MISTAKES), said.stderr
    assert here.json("list") == []


def test_a_running_lab_stays_as_it_is_where_an_edited_ruleset_does_not_parse(here: World) -> None:
    here.labctl("up", here.file("guarded.yaml", GUARDED))
    here.labctl("up", here.file("guarded.yaml", WRONG), code=2)
    assert here.json("status")["drift"] == [] and here.json("verify")["passed"]
    here.labctl("down")


def test_a_ruleset_in_one_line_or_from_a_pipe_is_told_by_its_own_lines(as_user: World) -> None:
    text = 'name: one\nnamespaces:\n  a:\n    nft: "table inet x {\\n chain c { accep; }\\n}"\n'
    said = as_user.labctl("up", as_user.file("one.yaml", text), code=2).stderr
    assert "one.yaml:4:10: nft: syntax error" in said
    said = as_user.labctl("up", "-", code=2, say=text).stderr
    assert "nft does not take the ruleset of a" in said and "line 2, column 17: syntax error" in said


def test_a_table_of_labctl_itself_cannot_be_written(as_user: World) -> None:
    text = "name: own\nnamespaces:\n  a:\n    nft: table inet labctl-masquerade\n"
    said = as_user.labctl("up", as_user.file("own.yaml", text), code=2).stderr
    assert "own.yaml:4:10: nft: a table cannot be called labctl-masquerade: that is one of labctl's own" in said


@pytest.mark.parametrize("command", ["monitor", "list ruleset", "flush ruleset"])
def test_a_command_in_a_ruleset_holds_nothing_up(as_user: World, command: str) -> None:
    text = f"name: waits\nnamespaces:\n  a:\n    nft: |\n      table inet a\n      {command}\n      table inet b\n"
    done = as_user.labctl("up", as_user.file("waits.yaml", text), code=None)
    assert done.returncode in (0, 2), done.stderr
    as_user.labctl("down")


NO_NFT = """\
import contextlib
import sys
from labctl.kernel.nftables import program
program.path = lambda: None
from labctl import cli
with contextlib.ExitStack() as until_the_end:
    sys.exit(cli.run_cli(until_the_end))
"""


def test_a_machine_without_nft_is_told_before_anything_is_made(here: World) -> None:
    file = here.file("guarded.yaml", GUARDED)

    def labctl(*words: str, code: int) -> str:
        done = here.run(sys.executable, "-c", NO_NFT, *words, code=code)
        return done.stdout + done.stderr

    for words in (("up", file), ("plan", file)):
        said = labctl(*words, code=3)
        assert "this machine has no program that reads it" in said and "apt install nftables" in said
    assert here.json("list") == []
    said = labctl("validate", file, code=0)
    assert "no mistakes\nnot looked at: the rulesets (nft:) of fw: there is no nft in the PATH" in said
    assert "nftables, but no program nft" in labctl("doctor", code=0)
    labctl("up", here.file("nat.yaml", NAT), code=0)
    assert here.json("verify")["passed"]
    here.labctl("down")
