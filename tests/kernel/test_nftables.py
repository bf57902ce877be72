"""The rules of a namespace in the words of nft(8), and which of them a packet meets."""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest

from labctl.kernel.flow import Flow
from labctl.kernel.nftables.ruleset import Chain, chains
from labctl.kernel.nftables.tables import tables
from labctl.kernel.nftables.trace import Event, FirewallTrace
from tests.kernel.frames import CABLE, FLOW, send
from tests.kernel.space import Space, shell

RULES = {
    "inet filter input": """
        ip saddr 10.0.0.1 drop
        ip saddr 10.0.0.0/8 drop
        ip saddr 10.0.0.0/9 drop
        ip saddr != 10.0.0.0/9 drop
        ip daddr != 10.0.0.2 tcp dport 80 accept
        ip saddr 10.0.0.1 ip daddr 10.0.0.2 drop
        ip saddr & 0.0.0.255 == 0.0.0.3 drop
        ether daddr 02:00:00:00:00:01 ip ttl 5 drop
        udp sport 5 udp dport >= 6 drop
        ip6 saddr fd00::1 drop
        ip6 saddr fd00::/64 drop
        ip6 daddr fd00::/61 drop
        udp dport 9000 counter drop
        udp dport { 9000, 9001 } drop
        udp dport != { 9000, 9001 } drop
        udp dport { 9000-9002, 9010 } drop
        ip saddr { 10.0.0.0/24, 10.0.1.7 } drop
        ip saddr { 10.0.0.3-10.0.0.9 } drop
        ip saddr . udp dport { 10.0.0.1 . 53 } drop
        ip saddr @known drop
        udp sport 1-100 drop
        udp sport != 1-100 drop
        udp dport 0-1023 drop
        udp length > 100 drop
        ip protocol icmp drop
        ip protocol udp udp dport 4 drop
        meta l4proto udp drop
        meta l4proto { tcp, udp } th dport 53 drop
        meta nfproto ipv4 drop
        meta length > 1000 drop
        meta mark 0x00000001 drop
        meta mark set 0x00000002
        meta mark 0x00000005-0x00000009 drop
        meta mark & 0x000000ff == 0x00000001 drop
        ct mark != 0x00000003 drop
        meta length 10-20 drop
        meta skuid 0 drop
        meta skuid { 1, 2 } drop
        meta l4proto != tcp drop
        meta pkttype host drop
        icmp type echo-request drop
        icmp type { echo-reply, echo-request } drop
        icmp code frag-needed drop
        icmp type destination-unreachable icmp code frag-needed drop
        icmpv6 type nd-neighbor-solicit drop
        icmpv6 type { packet-too-big, nd-neighbor-advert } drop
        iifname "wan0" drop
        iifname "tun*" drop
        iifname { "wan0", "wan1" } drop
        oifname != "lo" drop
        iif "lo" accept
        ct state established,related accept
        ct state invalid drop
        ct state != new drop
        ct state vmap { invalid : drop, established : accept }
        ct mark 0x00000001 drop
        ct direction reply drop
        ct status dnat drop
        ct original ip daddr 10.9.9.9 drop
        ct reply ip saddr 10.0.0.0/8 drop
        ct original ip6 daddr fd00::1 drop
        ip ttl 1 drop
        ip ttl < 5 drop
        ip ttl set 1
        ip length > 100 drop
        ip id 5 drop
        ip frag-off & 8191 != 0 drop
        tcp flags syn drop
        tcp flags syn / syn,ack drop
        tcp flags != syn / fin,syn,rst,ack drop
        limit rate 5/second accept
        limit rate over 5/minute burst 10 packets drop
        limit rate 2 mbytes/second accept
        quota over 100 bytes drop
        numgen random mod 2 0 drop
        numgen random mod 100 < 50 drop
        numgen inc mod 3 0 drop
        fib daddr type local drop
        fib saddr . iif oif missing drop
        ether saddr 02:00:00:00:00:01 drop
        numgen random mod 4 { 0, 1 } drop
        fib daddr type { local, broadcast } drop
        iifname != { "a", "b" } drop
        tcp dport vmap { 1-9 : accept, 10 : drop }
        ip daddr . tcp dport { 10.0.0.1 . 80, 10.0.0.2 . 90-95 } drop
        ip daddr vmap { 10.0.0.0/24 : drop }
        ct count 5 drop
        udp dport vmap { 1 : drop, 2 : accept, 3 : jump other }
        udp checksum set 0
        @th,64,32 0x1020304 drop
        log prefix "hello" drop
        jump other
        goto other
        return
        reject
        meta l4proto tcp reject with tcp reset
        reject with icmp host-unreachable
        reject with icmpv6 no-route
        reject with icmpx admin-prohibited
        notrack
        drop""",
    "inet filter prerouting": """
        udp dport 9000 dnat ip to 10.0.0.7
        udp dport 9000 dnat ip to 10.0.0.7:9001
        udp dport 9000 dnat ip6 to [fd00::7]:9001
        udp dport 9000 redirect to :9001""",
    "inet filter postrouting": """
        oifname "wan0" masquerade
        masquerade fully-random
        ip saddr 10.0.0.0/8 snat ip to 1.2.3.4
        ip saddr 10.0.0.0/8 snat ip to 1.2.3.4-1.2.3.9""",
    "ip one forward": """
        ip saddr 10.0.0.1 drop
        tcp dport 80 drop
        icmp type echo-request drop
        reject
        reject with icmp net-unreachable""",
    "ip6 one output": """
        ip6 hoplimit 1 drop
        reject""",
    "arp one input": """
        arp operation request drop
        arp saddr ip 10.0.0.1 drop
        arp daddr ip 10.0.0.1 drop""",
    "netdev one ingress": """
        ip saddr 10.0.0.1 drop
        udp dport 9 drop
        ether type arp drop
        meta protocol ip drop
        ip protocol icmp drop
        icmp type echo-request drop""",
    "bridge one forward": """
        ether saddr 02:00:00:00:00:01 drop
        ip saddr 10.0.0.1 drop
        ether type ip drop""",
}
TYPES = {"prerouting": "nat", "postrouting": "nat"}


def written(where: str) -> str:
    """A chain with its rules, in a table of its own."""
    family, table, hook = where.split()
    device = ' device "lo"' if family == "netdev" else ""
    return f"""
        table {family} {table} {{
            set known {{ type ipv4_addr; }}
            chain other {{ }}
            chain {hook} {{
                type {TYPES.get(hook, "filter")} hook {hook}{device} priority -10; policy accept;
                {RULES[where]}
            }}
        }}"""


@contextmanager
def nft(space: Space, ruleset: str) -> Iterator[None]:
    """A ruleset that is gone again afterwards."""
    space.sh(f"nft -f - <<'END'\n{ruleset}\nEND")
    try:
        yield
    finally:
        space.sh("nft flush ruleset")


def found(space: Space) -> tuple[Chain, ...]:
    return space.ask(chains)


@pytest.mark.parametrize("where", RULES)
def test_a_rule_is_told_as_nft_tells_it(shared: Space, where: str) -> None:
    with nft(shared, written(where)):
        (chain,) = (each for each in found(shared) if each.hook)
        told = [rule.words for rule in chain.rules]
        listed = shared.sh("nft -s list ruleset")
    by_nft = re.search(rf"chain {chain.name} {{\n.*policy accept;\n(.*?)\n\t}}", listed, re.DOTALL)
    assert by_nft is not None
    assert told == [line.strip() for line in by_nft[1].splitlines()]


@pytest.mark.parametrize(
    "rule, words",
    [
        ("exthdr frag exists drop", "meta nfproto ipv6 expression exthdr drop"),
        ("tcp option maxseg size set 1000", "expression exthdr"),
        ("ip daddr 10.0.0.1 socket transparent 1 drop", "ip daddr 10.0.0.1 expression socket drop"),
        ("ip saddr & 255.255.0.255 { 10.0.0.1, 10.0.0.2 } drop", "expression lookup drop"),
        ("ip dscp 1 drop", "@nh,8,8 & 0xfc == 0x4 drop"),
    ],
)
def test_what_has_no_sure_words_is_not_guessed(shared: Space, rule: str, words: str) -> None:
    with nft(shared, f"table inet t {{ chain c {{\n type filter hook input priority 0;\n {rule}\n}}\n}}"):
        ((only,),) = (chain.rules for chain in found(shared))
    assert only.words == words


def test_a_chain_tells_where_it_is_called_and_what_it_does_at_its_end(shared: Space) -> None:
    ruleset = """
        table inet t {
            chain sub { drop; }
            chain late { type filter hook forward priority 5; policy drop; }
            chain early { type filter hook forward priority -5; policy accept; }
        }
        table netdev d { chain c { type filter hook egress device "lo" priority 0; } }"""
    with nft(shared, ruleset.replace("}", "\n}").replace("; }", ";\n}")):
        early, late, of_device, sub = found(shared)
    assert (early.name, early.hook, early.priority, early.policy) == ("early", "forward", -5, "accept")
    assert (late.name, late.policy, late.type, str(late)) == ("late", "drop", "filter", "inet t late")
    assert (of_device.hook, of_device.devices) == ("egress", ("lo",))
    assert (sub.hook, sub.policy, [rule.words for rule in sub.rules]) == ("", "", ["drop"])


def test_the_chains_of_a_dormant_table_are_called_by_none(shared: Space) -> None:
    with nft(shared, "table inet t {\n flags dormant\n chain c { type filter hook input priority 0;\n }\n}"):
        (chain,) = found(shared)
    assert chain.dormant


def test_a_counter_tells_how_many_packets_it_has_seen(shared: Space) -> None:
    with nft(
        shared, "table inet t {\n chain c { type filter hook input priority 0;\n icmp type 8 counter\n drop\n }\n}"
    ):
        shared.sh("ping -q -c2 -i0.01 -W0.05 127.0.0.1 || true")
        (chain,) = found(shared)
    counting, dropping = chain.rules
    assert (counting.packets, dropping.packets) == (2, None)
    assert chain.rule(dropping.handle) == dropping and chain.rule(99) is None


ECHO = Flow(ipaddress.ip_address("127.0.0.1"), None, "icmp")


def traced(
    space: Space, flow: Flow, script: str, neighbours: tuple[str, ...] = (), also: bool = False
) -> tuple[list[Event], tuple[Chain, ...]]:
    """What a firewall did with a flow while a script ran, or a packet came in over a veth."""
    hosts = [ipaddress.ip_address(host) for host in neighbours]

    def look() -> tuple[list[Event], tuple[Chain, ...]]:
        there = chains()
        with closing(FirewallTrace(there, [flow], hosts)) as trace:
            if script:
                shell(script)
            if also:
                send()
            return list(trace.events()), there

    return space.ask(look)


def ended(space: Space, ruleset: str, flow: Flow, script: str, *neighbours: str) -> list[tuple[str, str]]:
    """Where packets of a flow ended, and the rule that ended them, or the policy."""
    with nft(space, ruleset):
        events, there = traced(space, flow, script, neighbours)
    by_name = {(chain.family, chain.table, chain.name): chain for chain in there}
    return [
        (str(chain), rule.words if rule else event.kind)
        for event in events
        if event.is_end
        for chain in [by_name[event.family, event.table, event.chain]]
        for rule in [chain.rule(event.rule)]
    ]


def table(rule: str, hook: str = "input", family: str = "inet", policy: str = "accept", more: str = "") -> str:
    return f"""
        table {family} t {{
            chain c {{
                type filter hook {hook} priority 0; policy {policy};
                {rule}
            }}
            {more}
        }}"""


PING = "ping -q -c1 -W0.05 127.0.0.1 || true"


@pytest.mark.parametrize(
    "ruleset, where, rule",
    [
        (table("icmp type echo-request drop"), "inet t c", "icmp type echo-request drop"),
        (table("icmp type echo-request drop", "output"), "inet t c", "icmp type echo-request drop"),
        (table("ip daddr 127.0.0.1 drop", "prerouting", "ip"), "ip t c", "ip daddr 127.0.0.1 drop"),
        (table("reject"), "inet t c", "reject"),
        (table("", policy="drop"), "inet t c", "policy"),
        (table("jump sub", more="chain sub {\n ip ttl 64 drop\n }"), "inet t sub", "ip ttl 64 drop"),
        (
            table("ip daddr 127.0.0.1 drop", 'ingress device "lo"', "netdev"),
            "netdev t c",
            "ip daddr 127.0.0.1 drop",
        ),
        (table("ip daddr 127.0.0.1 drop", 'egress device "lo"', "netdev"), "netdev t c", "ip daddr 127.0.0.1 drop"),
        (table("ip daddr 127.0.0.1 drop", 'ingress device "lo"'), "inet t c", "ip daddr 127.0.0.1 drop"),
    ],
)
def test_a_trace_names_the_rule_that_ends_a_packet(shared: Space, ruleset: str, where: str, rule: str) -> None:
    assert ended(shared, ruleset, ECHO, PING)[:1] == [(where, rule)]


def test_every_event_tells_the_packet_and_its_interfaces(shared: Space) -> None:
    with nft(shared, table("ip ttl 64\njump sub", policy="drop", more="chain sub {\n ip ttl 64\n }")):
        events, _ = traced(shared, ECHO, PING)
    assert [event.kind for event in events] == ["rule", "rule", "rule", "policy"]
    assert {(event.header[12:20], event.iif) for event in events} == {(2 * socket.inet_aton("127.0.0.1"), "lo")}


def test_a_packet_that_passes_is_seen_to_pass(shared: Space) -> None:
    with nft(shared, table("ip ttl 64 accept")):
        events, (chain,) = traced(shared, ECHO, PING)
    assert {(event.verdict, event.rule) for event in events} == {("accept", chain.rules[0].handle)}
    assert not any(event.is_end for event in events)


def test_only_the_packets_of_the_flow_are_traced(shared: Space) -> None:
    with nft(shared, table("drop")):
        assert traced(shared, ECHO, "ping -q -c1 -W0.05 127.0.0.2 || true")[0] == []
        other_port = Flow(FLOW.to, FLOW.source, "udp", FLOW.sport, FLOW.dport + 1)
        assert traced(shared, other_port, "")[0] == []


def test_of_more_than_can_be_kept_the_first_are_told(shared: Space) -> None:
    with nft(shared, table("ip ttl 64 accept")):
        events, _ = traced(shared, ECHO, "ping -q -f -c3000 127.0.0.1")
    assert {event.verdict for event in events} == {"accept"} and len({event.packet for event in events}) < 6000


def test_what_others_trace_is_not_told(shared: Space) -> None:
    """As by a student, or by a diagnosis of another check at the same time."""

    def look() -> tuple[list[Event], list[Event]]:
        with closing(FirewallTrace(chains(), [ECHO])) as trace:
            shell(PING.replace(".1 ", ".2 "))
            before = list(trace.events())
            shell(PING)
            return before, list(trace.events())

    def another() -> FirewallTrace:
        return FirewallTrace(chains(), [Flow(ipaddress.ip_address("127.0.0.2"), None, "icmp")])

    with nft(shared, table("meta nftrace set 1\nip ttl 64 drop")), shared.holding(another):
        of_others, ours = shared.ask(look)
    assert (of_others, [event.verdict for event in ours]) == ([], ["continue", "drop"])


def test_ipv6_is_traced_and_so_is_neighbour_discovery(space: Space) -> None:
    space.sh(f"{CABLE}; ip link set eth1 up; ip addr add fd00::1/64 dev eth0 nodad")
    flow = Flow(ipaddress.ip_address("fd00::2"), None, "ipv6-icmp")
    script = "ping -q -c1 -W0.05 fd00::2 || true"
    assert ended(space, table("drop", "output", "ip6"), flow, script) == [("ip6 t c", "drop")]
    solicit = table("icmpv6 type nd-neighbor-solicit drop", "output")
    assert ended(space, solicit, flow, script, "fd00::2")[:1] == [("inet t c", "icmpv6 type nd-neighbor-solicit drop")]


def test_arp_is_traced(space: Space) -> None:
    space.sh(f"{CABLE}; ip link set eth1 up")
    flow = Flow(ipaddress.ip_address("10.0.0.2"), None, "icmp")
    script = "ping -q -c1 -W0.05 10.0.0.2 || true"
    dropped = ended(space, table("arp operation request drop", "output", "arp"), flow, script, "10.0.0.2")
    assert dropped[:1] == [("arp t c", "arp operation request drop")]


def test_ports_are_matched_on_the_way_in(space: Space) -> None:
    space.sh(f"{CABLE}; ip link set eth1 up")
    with nft(space, table("udp dport 9000 drop")):
        events, _ = traced(space, FLOW, "", also=True)
    (event,) = events
    assert (event.verdict, event.iif) == ("drop", "eth0")
    assert event.header[12:20] == socket.inet_aton("10.0.0.7") + socket.inet_aton("10.0.0.1")


def test_nat_is_seen_as_another_header(shared: Space) -> None:
    ruleset = """
        table ip n {
            chain o {
                type nat hook output priority -100;
                ip daddr 127.0.0.9 dnat to 127.0.0.2
            }
            chain p {
                type filter hook postrouting priority 0;
                accept
            }
        }"""
    with nft(shared, ruleset):
        events, _ = traced(shared, Flow(ipaddress.ip_address("127.0.0.9"), None, "icmp"), PING.replace(".1 ", ".9 "))
    to = [(event.chain, socket.inet_ntoa(event.header[16:20])) for event in events[:2]]
    assert to == [("o", "127.0.0.9"), ("p", "127.0.0.2")]


def test_a_trace_leaves_nothing_behind_and_is_no_table_of_the_lab(shared: Space) -> None:
    def look() -> tuple[int, int, str]:
        with closing(FirewallTrace(chains(), [ECHO])):
            return len(list(tables())), len(chains()), shell("nft list tables")

    with nft(shared, table("drop")):
        seen_tables, seen_chains, listed = shared.ask(look)
        assert (seen_tables, seen_chains) == (1, 1)
        assert "labctl-trace" in listed
        assert "labctl-trace" not in shared.sh("nft list tables")
