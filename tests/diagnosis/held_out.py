"""The faults on which the diagnosis is tried and that it was not built on.

They were written before there was a diagnosis, and are not changed for it. Whoever works on the diagnosis looks at the
table of their scores alone (`python -m tests.diagnosis --list held_out`), never at what follows here.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import chain

from labctl.diagnosis.reasons import Reason
from tests.diagnosis.fault import Edit, Fault, Pair, at, exactly, rule

ENDS = (Reason.ENGINE_BOUND_ELSEWHERE, Reason.ENGINE_SENDS_ELSEWHERE, Reason.STRANGER)
SIZE = (Reason.MTU, Reason.MTU_BLACK_HOLE)
ASTRAY = (Reason.WRONG_NEXT_HOP, Reason.NEIGHBOUR_FAILED, Reason.ROUTE_ELSEWHERE)
BOTH_ENDS = ('device: "siteA:tun0"', 'device: "siteB:tun1"')
A_TO_B = '{device: "siteA:tun0", bind: "10.0.1.1:9000", peer: "10.0.2.1:9000"}'
B_TO_A = '{device: "siteB:tun1", bind: "10.0.2.1:9000", peer: "10.0.1.1:9000"}'
H1_TO_H2 = '{device: "h1:tun0", bind: "10.9.0.1:9000", peer: "10.9.0.2:9000"}'

FILES = (
    Fault(
        "far end bound to the next port",
        "two-site",
        "ping-across-a-to-b",
        at("siteA:tun0", "siteB:tun1", why=(Reason.NOT_LISTENING, *ENDS)),
        edits=(Edit(B_TO_A, B_TO_A.replace("10.0.2.1:9000", "10.0.2.1:9001")),),
        lines=BOTH_ENDS,
    ),
    Fault(
        "far end bound to the cable's address",
        "routed",
        "tunnel",
        at("siteA:tun0", "siteB:tun1", why=(Reason.NOT_LISTENING, Reason.LISTENS_ELSEWHERE, *ENDS)),
        edits=(Edit(B_TO_A, B_TO_A.replace("10.0.2.1:9000", "192.0.2.10:9000")),),
        lines=BOTH_ENDS,
    ),
    Fault(
        "peer is the third host",
        "switch",
        "tunnel",
        at("h1:tun0", "h2:tun1", "h3:eth0", why=(Reason.NOT_LISTENING, *ENDS)),
        edits=(Edit(H1_TO_H2, H1_TO_H2.replace("10.9.0.2:9000", "10.9.0.3:9000")),),
        lines=('device: "h1:tun0"', 'device: "h2:tun1"'),
    ),
    Fault(
        "second router sends back to the site",
        "routed",
        "underlay-back",
        at("r2:b", why=(Reason.WRONG_NEXT_HOP, Reason.ROUTE_ELSEWHERE, Reason.TTL)),
        edits=(Edit("{to: 10.0.1.0/24, via: 192.0.2.5}", "{to: 10.0.1.0/24, via: 192.0.2.10}"),),
        lines=("{to: 10.0.1.0/24, via: 192.0.2.10}",),
    ),
    Fault(
        "blackhole in the file",
        "routed",
        "underlay",
        at("r2:a", "r2:b", why=Reason.ROUTE_REJECTS),
        edits=(
            Edit(
                "      - {to: 192.0.2.0/30, via: 192.0.2.5}\n",
                "      - {to: 192.0.2.0/30, via: 192.0.2.5}\n      - {to: 10.0.2.0/25, type: blackhole}\n",
            ),
        ),
        lines=("type: blackhole",),
    ),
    Fault(
        "echo ignored by the file",
        "two-site",
        "underlay-to-dummy",
        at("siteB:wan0", "siteB:dummy1", why=Reason.ECHO_IGNORED),
        edits=(
            Edit(
                "{to: 10.0.101.0/24, dev: tun1}\n    sysctls: {net.ipv4.ip_forward: 0}",
                "{to: 10.0.101.0/24, dev: tun1}\n"
                "    sysctls: {net.ipv4.ip_forward: 0, net.ipv4.icmp_echo_ignore_all: 1}",
            ),
        ),
        lines=("icmp_echo_ignore_all",),
    ),
    Fault(
        "tunnel is slower than anybody waits",
        "two-site",
        "ping-across-a-to-b",
        at("siteB:tun1", why=Reason.IMPAIRED),
        edits=(Edit(B_TO_A, B_TO_A.replace("}", ", impair: {delay: 3s}}")),),
        lines=("delay: 3s",),
    ),
    Fault(
        "narrow cable in the file",
        "ipv6",
        "large",
        at("r:b", why=SIZE),
        edits=(
            Edit(
                'b: {kind: veth, peer: "siteB:wan0", addresses: ["2001:db8:2::ff/64"]}',
                'b: {kind: veth, peer: "siteB:wan0", addresses: ["2001:db8:2::ff/64"], mtu: 1300}',
            ),
        ),
        lines=("mtu: 1300",),
    ),
)

ROUTES = (
    Fault(
        "route thrown back",
        "two-site",
        "underlay-to-dummy",
        at("siteA:wan0", why=(Reason.ROUTE_REJECTS, Reason.NO_ROUTE)),
        (("siteA", "ip route add throw 10.0.2.1/32"),),
    ),
    Fault(
        "next hop object that is a blackhole",
        "routed",
        "underlay",
        at("r1:a", "r1:b", why=Reason.ROUTE_REJECTS),
        (("r1", "ip nexthop add id 7 blackhole && ip route replace 10.0.2.0/24 nhid 7"),),
    ),
    Fault(
        "marked packets have a table of their own",
        "two-site",
        "underlay-to-dummy",
        at("siteA:wan0", why=(Reason.ROUTE_REJECTS, Reason.FIREWALL)),
        (
            ("siteA", rule("output", "ip protocol icmp meta mark set 5", kind="route", table="ip")),
            ("siteA", "ip rule add fwmark 5 lookup 99 && ip route add unreachable default table 99"),
        ),
    ),
    Fault(
        "router takes the sender to be on the wrong cable",
        "routed",
        "underlay",
        at("r2:a", why=ASTRAY),
        (("r2", "ip route add 192.0.2.1/32 dev a"),),
    ),
    Fault(
        "far site lost its default route",
        "routed",
        "underlay",
        at("siteB:wan0", why=Reason.NO_ROUTE),
        (("siteB", "ip route del default"),),
    ),
    Fault(
        "reply prohibited in IPv6",
        "ipv6",
        "tunnel",
        at("siteB:tun1", why=Reason.ROUTE_REJECTS),
        (("siteB", "ip -6 route add prohibit fd00:101::1/128"),),
    ),
    Fault(
        "replies leave by their source",
        "two-site",
        "ping-across-a-to-b",
        at("siteB:tun1", "siteB:wan0", why=Reason.ROUTE_ELSEWHERE),
        (("siteB", "ip route add default via 192.0.2.1 table 77 && ip rule add from 10.0.102.1 lookup 77"),),
    ),
    Fault(
        "half of a network unreachable",
        "single-host",
        "silent-neighbour-a",
        at("host:tun0", why=Reason.ROUTE_REJECTS),
        (("host", "ip route add unreachable 10.0.101.0/25"),),
    ),
)

LINKS = (
    Fault(
        "cable down and up again",
        "two-site",
        "underlay-to-dummy",
        at("siteA:wan0", why=Reason.NO_ROUTE),
        (("siteA", "ip link set dev wan0 down && ip link set dev wan0 up"),),
    ),
    Fault(
        "cable renamed",
        "two-site",
        "ping-across-a-to-b",
        at("siteB:wan0", "siteB:tun1", why=(Reason.INTERFACE_MISSING, Reason.NO_ROUTE)),
        (("siteB", "ip link set wan0 down && ip link set wan0 name eth9 && ip link set eth9 up"),),
    ),
    Fault(
        "port carried off into another namespace",
        "switch",
        "h1-h2",
        at("sw:p2", why=Reason.INTERFACE_MISSING),
        (("sw", "ip link set p2 netns h3"),),
    ),
    Fault(
        "second router's far cable down",
        "routed",
        "tunnel",
        exactly("r2:b", Reason.LINK_DOWN),
        (("r2", "ip link set dev b down"),),
    ),
    Fault(
        "IPv6 gateway's cable down",
        "ipv6",
        "gateway",
        exactly("r:a", Reason.LINK_DOWN),
        (("r", "ip link set dev a down"),),
    ),
    Fault(
        "switch knows a host at the wrong port",
        "switch",
        "h1-h2",
        at("sw:br0", "sw:p2", "sw:p3", why=(Reason.PORT_NOT_FORWARDING, Reason.NEIGHBOUR_WRONG)),
        (
            ("h1", "ping -qc1 10.9.0.2"),
            (
                "sw",
                "mac=$(bridge fdb show br br0 | awk '/dev p2/ && !/permanent/ {print $1; exit}') && "
                "bridge fdb replace $mac dev p3 master static",
            ),
        ),
    ),
    Fault(
        "wrong permanent neighbour in IPv6",
        "ipv6",
        "underlay",
        at("siteA:wan0", why=Reason.NEIGHBOUR_WRONG),
        (("siteA", "ip neigh replace 2001:db8:1::ff lladdr 02:00:00:00:00:99 dev wan0 nud permanent"),),
    ),
    Fault(
        "reply goes to a wrong hardware address",
        "switch",
        "h1-h2",
        at("h2:eth0", why=Reason.NEIGHBOUR_WRONG),
        (("h2", "ip neigh replace 10.9.0.1 lladdr 02:00:00:00:00:99 dev eth0 nud permanent"),),
    ),
    Fault(
        "gateway without ARP",
        "routed",
        "gateway",
        at("r1:a", why=Reason.NO_ARP),
        (("r1", "ip link set dev a arp off"),),
    ),
)

ADDRESSES = (
    Fault(
        "address on the TUN device instead of the cable",
        "switch",
        "h1-h2",
        at("h2:eth0", "h2:tun1", why=(Reason.ADDRESS_ELSEWHERE, Reason.ADDRESS_MISSING)),
        (("h2", "ip addr del 10.9.0.2/24 dev eth0 && ip addr add 10.9.0.2/24 dev tun1"),),
    ),
    Fault(
        "router renumbered",
        "routed",
        "underlay",
        at("r1:b", why=(Reason.ADDRESS_MISSING, Reason.ADDRESS_ELSEWHERE)),
        (("r1", "ip addr del 192.0.2.5/30 dev b && ip addr add 192.0.2.13/30 dev b"),),
    ),
    Fault(
        "IPv6 off in the whole router",
        "ipv6",
        "underlay",
        at("r:a", "r:b", why=Reason.IPV6_OFF),
        (("r", "sysctl -qw net.ipv6.conf.all.disable_ipv6=1"),),
    ),
    Fault(
        "router's prefix of a single address in IPv6",
        "ipv6",
        "underlay",
        at("r:a", why=(Reason.WRONG_PREFIX, Reason.ADDRESS_MISSING, Reason.NO_ROUTE)),
        (("r", "ip addr del 2001:db8:1::ff/64 dev a && ip addr add 2001:db8:1::ff/128 dev a"),),
    ),
    Fault(
        "address of the far TUN device flushed",
        "single-host",
        "own-tun-address-b",
        at("host:tun1", why=Reason.ADDRESS_MISSING),
        (("host", "ip addr flush dev tun1"),),
    ),
)

SETTINGS = (
    Fault(
        "hop limit of one",
        "ipv6",
        "underlay",
        at("siteA:wan0", "r:a", why=Reason.TTL),
        (("siteA", "sysctl -qw net.ipv6.conf.wan0.hop_limit=1"),),
    ),
    Fault(
        "router does not forward what comes back",
        "routed",
        "underlay",
        at("r2:b", why=Reason.FORWARDING_OFF),
        (("r2", "sysctl -qw net.ipv4.conf.b.forwarding=0"),),
    ),
    Fault(
        "reverse path filter where the way back leads into the tunnel",
        "two-site",
        "underlay",
        at("siteB:wan0", "siteB:tun1", why=(Reason.RP_FILTER, Reason.ROUTE_ELSEWHERE)),
        (("siteB", "sysctl -qw net.ipv4.conf.wan0.rp_filter=1 && ip route add 192.0.2.1/32 dev tun1"),),
    ),
    Fault(
        "host ignores echo requests",
        "switch",
        "h3-h2",
        at("h2:eth0", why=Reason.ECHO_IGNORED),
        (("h2", "sysctl -qw net.ipv4.icmp_echo_ignore_all=1"),),
    ),
    Fault(
        "last link narrow",
        "routed",
        "large",
        at("r2:b", why=SIZE),
        (("r2", "ip link set dev b mtu 1000"),),
    ),
    Fault(
        "packet too big, and ICMPv6 is filtered",
        "ipv6",
        "large",
        at("r:b", "r:a", why=(*SIZE, Reason.ICMP_FILTERED, Reason.FIREWALL)),
        (
            ("r", "ip link set dev b mtu 1280"),
            ("r", rule("output", "icmpv6 type packet-too-big drop")),
        ),
    ),
    Fault(
        "sender's own cable takes no large replies",
        "routed",
        "large",
        at("siteA:wan0", "r1:a", why=SIZE),
        (("siteA", "ip link set dev wan0 mtu 1200"),),
    ),
)

ENGINES = (
    Fault(
        "near engine killed in IPv6",
        "ipv6",
        "tunnel",
        at("siteA:tun0", why=Reason.ENGINE_ENDED),
        (("siteA", "kill -KILL ENGINE[tun0]"),),
    ),
    Fault(
        "one of two engines of a host suspended",
        "single-host",
        "silent-neighbour-a",
        at("host:tun1", why=Reason.ENGINE_STOPPED),
        (("host", "kill -TSTP ENGINE[tun1] && kill -STOP ENGINE[tun1]"),),
    ),
    Fault(
        "port of the engine held by a program that does not read",
        "two-site",
        "ping-across-b-to-a",
        at("siteA:tun0", "siteA:dummy0", "siteA:wan0", why=(Reason.ENGINE_ENDED, Reason.OTHER_LISTENER)),
        (("siteA", "kill -KILL ENGINE[tun0]"), ("siteA", "program deaf 10.0.1.1 9000")),
    ),
    Fault(
        "UDP port taken at the far site",
        "routed",
        "udp",
        at("siteB:wan0", "siteB:lan0", why=Reason.OTHER_LISTENER),
        (("siteB", "program udp 10.0.2.1 8000"),),
    ),
    Fault(
        "server listens at the cable's address",
        "routed",
        "tcp",
        at("siteB:wan0", "siteB:lan0", why=Reason.LISTENS_ELSEWHERE),
        (("siteB", "program tcp 192.0.2.10 8000"),),
        edits=(
            Edit(
                'address: 10.0.2.1, port: 8000, reply: "Hello yourself"',
                'address: 10.0.2.1, port: 8000, server: false, reply: "Hello yourself"',
            ),
        ),
        lines=("server: false",),
    ),
    Fault(
        "tunnel's port routed into the tunnel by a rule",
        "switch",
        "tunnel",
        at("h1:tun0", "h1:eth0", why=(Reason.ROUTING_LOOP, Reason.ROUTE_ELSEWHERE)),
        (("h1", "ip route add default dev tun0 table 60 && ip rule add ipproto udp dport 9000 lookup 60"),),
    ),
)

FIREWALLS = (
    Fault(
        "policy drop, only ping and ssh allowed",
        "two-site",
        "ping-across-a-to-b",
        at("siteB:wan0", "siteB:tun1", why=Reason.FIREWALL),
        (
            (
                "siteB",
                "nft 'add table inet fw; add chain inet fw in { type filter hook input priority 0 ; policy drop ; }; "
                "add rule inet fw in ip protocol icmp accept; add rule inet fw in tcp dport 22 accept'",
            ),
        ),
    ),
    Fault(
        "address in a set of those that are blocked",
        "routed",
        "underlay",
        at("siteB:wan0", why=Reason.FIREWALL),
        (
            (
                "siteB",
                "nft 'add table ip fw; add set ip fw bad { type ipv4_addr ; elements = { 192.0.2.1, 203.0.113.1 } ; }; "
                "add chain ip fw in { type filter hook input priority 0 ; }; add rule ip fw in ip saddr @bad drop'",
            ),
        ),
    ),
    Fault(
        "dropped in a chain that is jumped to",
        "routed",
        "tunnel",
        at("r2:a", "r2:b", why=Reason.FIREWALL),
        (
            (
                "r2",
                "nft 'add table inet fw; add chain inet fw no; add rule inet fw no udp dport 9000 drop; "
                "add chain inet fw f { type filter hook forward priority 10 ; }; add rule inet fw f jump no'",
            ),
        ),
    ),
    Fault(
        "dropped on the way out of the device",
        "two-site",
        "underlay",
        at("siteA:wan0", why=Reason.FIREWALL),
        (("siteA", rule("egress device wan0", "ip protocol icmp drop", table="netdev")),),
    ),
    Fault(
        "nearly everything dropped at random",
        "two-site",
        "underlay",
        at("siteB:wan0", why=Reason.FIREWALL),
        (("siteB", rule("input", "numgen random mod 100 < 97 drop")),),
    ),
    Fault(
        "own output translates the destination",
        "two-site",
        "ping-across-a-to-b",
        at("siteA:tun0", why=Reason.NAT),
        (("siteA", rule("output", "ip daddr 10.0.102.1 dnat to 10.0.102.99", "ip", "nat", -100)),),
    ),
    Fault(
        "router masquerades the tunnel",
        "routed",
        "tunnel",
        at("r1:b", "siteB:tun1", why=(Reason.NAT, Reason.STRANGER)),
        (("r1", rule("postrouting", "oif b masquerade", "ip", "nat", 100)),),
    ),
    Fault(
        "neighbour advertisements dropped at the sender",
        "ipv6",
        "underlay",
        at("siteA:wan0", why=Reason.FIREWALL),
        (("siteA", rule("input", "icmpv6 type nd-neighbor-advert drop")),),
    ),
    Fault(
        "own firewall rejects at once",
        "two-site",
        "hello-over-tcp-a-to-b",
        at("siteA:tun0", why=Reason.FIREWALL),
        (("siteA", rule("output", "tcp dport 8000 reject with tcp reset")),),
    ),
    Fault(
        "large ones dropped on the way",
        "routed",
        "large",
        at("r2:a", "r2:b", why=Reason.FIREWALL),
        (("r2", rule("forward", "meta length > 1000 drop")),),
    ),
    Fault(
        "bridge drops ARP",
        "switch",
        "h1-h3",
        at("sw:br0", "sw:p1", "sw:p3", why=Reason.FIREWALL),
        (("sw", rule("forward", "ether type arp drop", table="bridge")),),
    ),
    Fault(
        "IPv6 router rejects",
        "ipv6",
        "tcp",
        at("r:a", "r:b", why=Reason.FIREWALL),
        (("r", rule("forward", "meta l4proto tcp reject with icmpv6 admin-prohibited")),),
    ),
)

OTHERS = (
    Fault(
        "router's queue holds no large packet",
        "routed",
        "large",
        at("r2:a", "r1:a", why=Reason.TRAFFIC_CONTROL),
        (("r2", "tc qdisc add dev a root tbf rate 512kbit burst 600 limit 600"),),
        needs="sch_tbf",
    ),
    Fault(
        "netem on a router",
        "routed",
        "underlay",
        at("r1:b", why=(Reason.TRAFFIC_CONTROL, Reason.IMPAIRED)),
        (("r1", "tc qdisc add dev b root netem loss 95%"),),
        needs="netem",
    ),
    Fault(
        "policy blocks what is forwarded",
        "routed",
        "underlay",
        at("r1:a", "r1:b", why=Reason.XFRM),
        (("r1", "ip xfrm policy add src 0.0.0.0/0 dst 10.0.2.0/24 dir fwd action block"),),
    ),
    Fault(
        "replies wait for an IPsec state that nobody makes",
        "two-site",
        "underlay",
        at("siteB:wan0", why=Reason.XFRM),
        (
            (
                "siteB",
                "ip xfrm policy add src 192.0.2.2/32 dst 192.0.2.1/32 dir out "
                "tmpl src 192.0.2.2 dst 192.0.2.1 proto esp mode transport",
            ),
        ),
    ),
)

BY_CLASS: Mapping[str, tuple[Fault, ...]] = {
    "file wrong": FILES,
    "routes, rules": ROUTES,
    "links, neighbours": LINKS,
    "addresses": ADDRESSES,
    "settings, sizes": SETTINGS,
    "engines, sockets": ENGINES,
    "firewalls, NAT": FIREWALLS,
    "tc, xfrm, others": OTHERS,
}

_NAMED = {fault.name: fault for fault in chain.from_iterable(BY_CLASS.values())}
PAIRS = tuple(
    Pair(_NAMED[first], _NAMED[second])
    for first, second in (
        ("far site lost its default route", "large ones dropped on the way"),
        ("cable down and up again", "nearly everything dropped at random"),
        ("reply goes to a wrong hardware address", "peer is the third host"),
        ("IPv6 off in the whole router", "neighbour advertisements dropped at the sender"),
        ("near engine killed in IPv6", "reply prohibited in IPv6"),
        ("second router's far cable down", "router masquerades the tunnel"),
        ("replies leave by their source", "policy drop, only ping and ssh allowed"),
    )
)
