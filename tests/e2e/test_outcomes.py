"""How a probe can end beside an answer: in silence, refused by the sender's own kernel, or before it was made."""

from __future__ import annotations

from typing import Any

from tests.e2e.labs import tunnel
from tests.e2e.world import World, running

# Each expects what it sees, except that `no-reply` and `not-delivered` are no names for what was never sent.
REFUSED = """\
  - {name: no-route, ping: {from: siteA, to: 203.0.113.1}, expect: not-sent}
  - {name: blackhole, ping: {from: siteA, to: 10.0.102.11}, expect: not-sent}
  - {name: unreachable, ping: {from: siteA, to: 10.0.102.12}, expect: not-sent}
  - {name: prohibit, ping: {from: siteA, to: 10.0.102.13}, expect: not-sent}
  - {name: firewall, ping: {from: siteA, to: 10.0.102.14}, expect: not-sent}
  - {name: tcp, nc: {from: siteA, to: siteB, address: 10.0.102.11, port: 80, server: false}, expect: not-sent}
  - name: udp
    nc: {from: siteA, to: siteB, address: 10.0.102.14, port: 80, server: false, protocol: udp}
    expect: not-sent
  - {name: taken-for-silence, ping: {from: siteA, to: 10.0.102.12, timeout: 0.3}, expect: no-reply}
  - name: taken-for-undelivered
    nc: {from: siteA, to: siteB, address: 10.0.102.11, port: 80, server: false}
    expect: not-delivered
  - name: unresolved
    ping: {from: siteA, to: 192.0.2.2, count: 1, timeout: 0.3}
    expect: no-reply
    crosses: ["siteA:wan0"]
  - {name: reply, ping: {from: siteA, to: 10.0.102.11, timeout: 0.3}}
  - {name: sent-all-the-same, ping: {from: siteA, to: 10.0.102.1, timeout: 0.3}, expect: not-sent}
"""
REFUSALS = """\
ip route add blackhole 10.0.102.11
ip route add unreachable 10.0.102.12
ip route add prohibit 10.0.102.13
nft add table inet t
nft add chain inet t out '{ type filter hook output priority 0; }'
nft add rule inet t out ip daddr 10.0.102.14 drop
"""
TOLD = {
    "no-route": "ENETUNREACH", "blackhole": "EINVAL", "unreachable": "EHOSTUNREACH", "prohibit": "EACCES",
    "firewall": "EPERM", "tcp": "EINVAL", "udp": "EPERM", "reply": "EINVAL",
}  # fmt: skip


def outcomes(here: World, *words: str, code: int) -> dict[str, Any]:
    return {check["name"]: check for check in here.json("verify", *words, code=code)["checks"]}


def test_what_the_senders_kernel_refuses_at_once_is_no_silence(here: World) -> None:
    here.labctl("up", here.file("refused.yaml", tunnel(checks=REFUSED)))
    here.labctl("exec", "siteA", "--", "sh", "-ec", REFUSALS)
    found = outcomes(here, code=1)
    assert [name for name, check in found.items() if check["passed"]] == [
        "no-route", "blackhole", "unreachable", "prohibit", "firewall", "tcp", "udp",
    ]  # fmt: skip
    for name, word in TOLD.items():
        assert f"({word}), as with" in found[name]["observed"]
    assert [name for name, check in found.items() if not check["asked"]] == [
        "taken-for-silence", "taken-for-undelivered",
    ]  # fmt: skip
    here.labctl("exec", "siteB", "--", "ip", "link", "set", "wan0", "arp", "off")
    here.labctl("exec", "siteA", "--", "ip", "neigh", "flush", "dev", "wan0")
    unresolved = outcomes(here, "unresolved", code=1)["unresolved"]
    (sent,) = unresolved["evidence"][:1]
    assert unresolved["outcome"] == "silent" and (sent["observed"], sent["others"] > 0) == (0, True), "ARP asked"
    assert unresolved["lost"] == "siteB:wan0: ARP is off on siteB:wan0"
    here.labctl("verify", "taken-for-silence", code=5)
    here.labctl("verify", "taken-for-silence", "reply", code=1)
    here.labctl("down")


# What comes back is a refusal: an ICMP error of a router or of the host, or a RST.
CROSSES = 'crosses: ["siteA:tun0", "siteB:tun1"]'
REFUSED_THERE = f"""\
  - {{name: ping, ping: {{from: siteA, to: 10.0.102.12}}, expect: no-reply, {CROSSES}}}
  - name: tcp
    nc: {{from: siteA, to: siteB, address: 10.0.102.1, port: 81, server: false}}
    expect: not-delivered
    {CROSSES}
  - name: udp
    nc: {{from: siteA, to: siteB, address: 10.0.102.1, port: 81, server: false, protocol: udp, reply: hello}}
    expect: not-delivered
    {CROSSES}
  - {{name: http, http: {{from: siteA, url: "http://10.0.102.1:81/"}}, expect: no-reply, {CROSSES}}}
  - name: dns
    dns: {{from: siteA, name: www.lab, is: [], server: 10.0.102.1, timeout: 0.5}}
    expect: no-reply
    {CROSSES}
"""


def test_a_refusal_that_comes_back_is_no_reply(here: World) -> None:
    here.labctl("up", here.file("refused.yaml", tunnel(checks=REFUSED_THERE)))
    here.labctl("exec", "siteB", "--", "ip", "route", "add", "unreachable", "10.0.102.12")
    here.labctl("exec", "siteB", "--", "sysctl", "-q", "net.ipv4.ip_forward=1", "net.ipv4.icmp_ratelimit=0")
    found = outcomes(here, code=0)
    assert {check["outcome"] for check in found.values()} == {"silent"}
    for name, check in found.items():
        back = [each for each in check["evidence"] if each["expected"] == "0"]
        assert [each["observed"] for each in back] == [0] * 6
        assert any(each["others"] for each in back), f"{name}: the refusal was seen"
    here.labctl("down")


TAKEN = """\
  - {name: tcp, nc: {from: siteA, to: siteB, address: 10.0.102.1, port: 80}, expect: not-delivered}
  - {name: udp, nc: {from: siteA, to: siteB, address: 10.0.102.1, port: 53, protocol: udp}, expect: not-delivered}
  - {name: address, nc: {from: siteA, to: siteB, address: 10.0.102.1, port: 81}}
  - {name: tcp-there, nc: {from: siteA, to: siteB, address: 10.0.102.1, port: 80, server: false}}
  - {name: tcp-greets, nc: {from: siteA, to: siteB, address: 10.0.102.1, port: 80, server: false, reply: "220 "}}
  - {name: tcp-other, nc: {from: siteA, to: siteB, address: 10.0.102.1, port: 80, server: false, reply: "230 "}}
  - name: udp-echoes
    nc: {from: siteA, to: siteB, address: 10.0.102.1, port: 53, server: false, protocol: udp, send: hi, reply: hi}
  - {name: nobody, nc: {from: siteA, to: siteB, address: 10.0.102.1, port: 81, server: false}, expect: not-delivered}
"""
SERVER = """
import socket, threading
greets = socket.create_server(("", 80))
echoes = socket.socket(type=socket.SOCK_DGRAM)
echoes.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # which would let another share the port
echoes.bind(("", 53))
def echo():
    while True:
        echoes.sendto(*echoes.recvfrom(1000))
threading.Thread(target=echo, daemon=True).start()
print("ready", flush=True)
while True:
    taken, _ = greets.accept()
    taken.sendall(b"220 welcome\\n")
    while taken.recv(1000):
        pass
    taken.close()
"""


def test_a_port_of_another_program_is_not_judged_and_can_be_asked(here: World) -> None:
    here.labctl("up", here.file("taken.yaml", tunnel(checks=TAKEN)))
    with running(here, "siteB", SERVER):
        found = outcomes(here, "tcp", "udp", "tcp-there", "tcp-greets", "tcp-other", "udp-echoes", "nobody", code=1)
    assert [name for name, check in found.items() if check["passed"]] == [
        "tcp-there", "tcp-greets", "udp-echoes", "nobody",
    ]  # fmt: skip
    for name, port in (("tcp", 80), ("udp", 53)):
        assert not found[name]["asked"]
        assert "python" in found[name]["observed"] and f"has port {port}" in found[name]["observed"]
    assert (found["tcp-other"]["asked"], found["tcp-other"]["outcome"]) == (True, "differs")
    assert "ECONNREFUSED" in found["nobody"]["observed"]
    here.labctl("exec", "siteB", "--", "ip", "address", "del", "10.0.102.1/24", "dev", "tun1")
    told = outcomes(here, "address", code=5)["address"]["observed"]
    assert "EADDRNOTAVAIL" in told
    here.labctl("down")
