"""Faults of every class that were thought of once the diagnosis was built; many of them it did not know at first."""

from __future__ import annotations

from labctl.diagnosis.reasons import Reason
from tests.diagnosis.fault import Edit, Fault, at, rule

NAT_OR_RULE = (Reason.NAT, Reason.FIREWALL)
SIZE = (Reason.MTU, Reason.MTU_BLACK_HOLE)

FAULTS = (
    Fault(
        "rule for a user prohibits",
        "two-site",
        "underlay",
        at("siteA:wan0", why=Reason.ROUTE_REJECTS),
        (("siteA", "ip rule add uidrange 0-0 prohibit pref 0"),),
    ),
    Fault(
        "rule suppresses the default route",
        "routed",
        "underlay",
        at("siteA:wan0", why=Reason.NO_ROUTE),
        (("siteA", "ip rule add pref 100 lookup main suppress_prefixlength 0; ip rule del pref 32766"),),
    ),
    Fault(
        "marked packets are looked up in a table that refuses them",
        "routed",
        "underlay",
        at("r1:a", "r1:b", why=Reason.ROUTE_REJECTS),
        (
            ("r1", rule("prerouting", "ip protocol icmp meta mark set 7", priority=-150)),
            ("r1", "ip route add blackhole default table 77; ip rule add fwmark 7 lookup 77"),
        ),
    ),
    Fault(
        "most packets go by another next hop",
        "routed",
        "tunnel",
        at("r1:b", "r1:a", why=(Reason.ROUTE_ELSEWHERE, Reason.WRONG_NEXT_HOP)),
        (("r1", "ip route replace 10.0.2.0/24 nexthop via 192.0.2.6 weight 1 nexthop via 192.0.2.1 weight 200"),),
    ),
    Fault(
        "address is not in table local",
        "two-site",
        "underlay",
        at("siteB:wan0", why=(Reason.NO_ROUTE, Reason.ADDRESS_MISSING)),
        (("siteB", "ip route del local 192.0.2.2 dev wan0 table local"),),
    ),
    Fault(
        "only UDP is refused",
        "routed",
        "udp",
        at("r1:a", "r1:b", why=Reason.ROUTE_REJECTS),
        (("r1", "ip rule add ipproto udp dport 8000 prohibit pref 4"),),
    ),
    Fault(
        "bridge does not flood by a port",
        "switch",
        "h1-h2",
        at("sw:p2", "sw:br0", why=Reason.PORT_NOT_FORWARDING),
        (("sw", "ip link set p2 type bridge_slave flood off bcast_flood off learning off; bridge fdb flush dev br0"),),
    ),
    Fault(
        "interface made a port of another bridge",
        "two-site",
        "underlay",
        at("siteB:wan0", why=Reason.PORT_NOT_FORWARDING),
        (("siteB", "ip link add own type bridge; ip link set own up; ip link set wan0 master own"),),
    ),
    Fault(
        "narrow link for the way back alone",
        "routed",
        "large",
        at("r2:a", "r2:b", why=SIZE),
        (("r2", "ip link set dev a mtu 600"),),
    ),
    Fault(
        "TUN device cuts packets",
        "routed",
        "tunnel-large",
        at("siteA:tun0", why=SIZE),
        (("siteA", "ip link set dev tun0 mtu 600"),),
    ),
    Fault(
        "rule takes all but the first of a minute",
        "two-site",
        "underlay",
        at("siteB:wan0", why=Reason.FIREWALL),
        (("siteB", rule("input", "icmp type echo-request limit rate over 1/minute burst 1 packets drop")),),
    ),
    Fault(
        "map sends the packet to a chain that drops it",
        "routed",
        "underlay",
        at("r1:a", "r1:b", why=Reason.FIREWALL),
        (
            (
                "r1",
                "nft 'add table inet own; add chain inet own other; "
                "add rule inet own other icmp type echo-request drop; "
                "add chain inet own c { type filter hook forward priority 0 ; }; "
                "add rule inet own c ip protocol vmap { icmp : jump other }'",
            ),
        ),
    ),
    Fault(
        "ARP replies are dropped where they are waited for",
        "switch",
        "h1-h2",
        at("h1:eth0", why=Reason.FIREWALL),
        (("h1", rule("input", "arp operation reply drop", table="arp")),),
    ),
    Fault(
        "bridge drops ARP",
        "switch",
        "h1-h2",
        at("sw:br0", "sw:p1", "sw:p2", why=Reason.FIREWALL),
        (("sw", rule("forward", "ether type arp drop", table="bridge")),),
    ),
    Fault(
        "handshake is not completed",
        "routed",
        "tcp",
        at("siteB:wan0", why=Reason.FIREWALL),
        (("siteB", rule("input", "tcp flags & (fin|syn|ack|psh) == ack drop")),),
    ),
    Fault(
        "data of a connection is dropped",
        "routed",
        "tcp",
        at("r2:a", "r2:b", why=Reason.FIREWALL),
        (("r2", rule("forward", "tcp flags & psh == psh drop", table="ip")),),
    ),
    Fault(
        "replies are dropped behind a router that masquerades",
        "routed",
        "underlay",
        at("siteA:wan0", why=Reason.FIREWALL),
        (
            ("r1", rule("postrouting", "oif b masquerade", "ip", "nat", 100)),
            ("siteA", rule("input", "icmp type echo-reply drop")),
        ),
    ),
    Fault(
        "replies are sent from another address",
        "two-site",
        "underlay",
        at("siteB:wan0", why=NAT_OR_RULE),
        (("siteB", rule("output", "icmp type echo-reply ip saddr set 192.0.2.9", "ip")),),
    ),
    Fault(
        "replies get another identifier",
        "two-site",
        "underlay",
        at("siteB:wan0", why=NAT_OR_RULE),
        (("siteB", rule("output", "icmp type echo-reply icmp id set 4242", "ip")),),
    ),
    Fault(
        "datagrams of the engine get another port",
        "two-site",
        "ping-across-a-to-b",
        at("siteA:wan0", why=Reason.NAT),
        (("siteA", rule("output", "udp dport 9000 dnat to 10.0.2.1:9002", "ip", "nat", -100)),),
    ),
    Fault(
        "tunnel's datagrams begin with a TTL of 1",
        "routed",
        "tunnel",
        at("r1:a", "siteA:wan0", why=(Reason.TTL, Reason.FIREWALL)),
        (("siteA", rule("postrouting", "udp dport 9000 ip ttl set 1")),),
    ),
    Fault(
        "router masquerades, and drops what is established",
        "routed",
        "underlay",
        at("r1:a", "r1:b", why=Reason.FIREWALL),
        (
            ("r1", rule("postrouting", "oif b masquerade", "ip", "nat", 100)),
            ("r1", rule("forward", "ct state established drop")),
        ),
    ),
    Fault(
        "destination becomes that of a host that does not answer",
        "routed",
        "underlay",
        at("r1:a", "r1:b", why=Reason.NAT),
        (
            ("r1", rule("prerouting", "ip daddr 10.0.2.1 dnat to 192.0.2.6", "ip", "nat", -100)),
            ("r2", "sysctl -qw net.ipv4.icmp_echo_ignore_all=1"),
        ),
    ),
    Fault(
        "destination is rewritten without NAT",
        "routed",
        "underlay",
        at("r1:a", "r1:b", why=NAT_OR_RULE),
        (("r1", rule("prerouting", "ip daddr 10.0.2.1 ip daddr set 10.0.2.77", "ip")),),
    ),
    Fault(
        "echo replies are limited",
        "two-site",
        "underlay",
        at("siteB:wan0", why=Reason.ECHO_IGNORED),
        (
            ("siteB", "sysctl -qw net.ipv4.icmp_ratemask=1 net.ipv4.icmp_ratelimit=100000000"),
            ("siteA", "ping -qc10 -i0.01 -W0.1 192.0.2.2 || true"),
        ),
    ),
    Fault(
        "echo replies are limited in IPv6",
        "ipv6",
        "underlay",
        at("siteB:wan0", why=Reason.ECHO_IGNORED),
        (
            ("siteB", "sysctl -qw net.ipv6.icmp.ratemask=129 net.ipv6.icmp.ratelimit=100000000"),
            ("siteA", "ping -qc10 -i0.01 -W0.1 2001:db8:2::1 || true"),
        ),
    ),
    Fault(
        "no rule looks up table local",
        "two-site",
        "underlay",
        at("siteB:wan0", why=(Reason.NO_ROUTE, Reason.ADDRESS_MISSING)),
        (("siteB", "ip rule del pref 0"),),
    ),
    Fault(
        "sender has no port left",
        "routed",
        "udp",
        at("siteA:wan0", why=Reason.NOT_STARTED),
        (
            ("siteA", "sysctl -qw net.ipv4.ip_local_port_range='40000 40000'"),
            ("siteA", "program udp 0.0.0.0 40000"),
        ),
    ),
    Fault(
        "namespace deleted",
        "routed",
        "underlay",
        at("r2:a", why=Reason.INTERFACE_MISSING),
        (("siteA", "ip netns del r2"),),
    ),
    Fault(
        "nexthop object that is a blackhole, in place of the file's route",
        "routed",
        "underlay",
        at("r1:a", "r1:b", why=Reason.ROUTE_REJECTS),
        (("r1", "ip nexthop add id 7 blackhole && ip route replace 10.0.2.0/24 nhid 7"),),
    ),
    Fault(
        "prohibited in place of the file's route",
        "ipv6",
        "tunnel",
        at("siteA:tun0", why=Reason.ROUTE_REJECTS),
        (("siteA", "ip -6 route del fd00:102::/64 && ip -6 route add prohibit fd00:102::/64"),),
    ),
    Fault(
        "ARP is off at the sender, in IPv6",
        "ipv6",
        "underlay",
        at("siteA:wan0", why=Reason.NO_ARP),
        (("siteA", "ip link set wan0 arp off"),),
    ),
    Fault(
        "router drops neighbour advertisements",
        "ipv6",
        "underlay",
        at("r:b", why=Reason.FIREWALL),
        (("r", rule("input", "icmpv6 type nd-neighbor-advert drop")),),
    ),
    Fault(
        "ARP is not answered behind a switch, which floods it",
        "switch",
        "h1-h2",
        at("h2:eth0", why=Reason.NO_ARP),
        (("h2", "sysctl -qw net.ipv4.conf.eth0.arp_ignore=8"), ("h1", "ip neigh flush dev eth0")),
    ),
    Fault(
        "the server is stopped",
        "two-site",
        "hello-over-udp-a-to-b",
        at("siteB:tun1", why=Reason.PROGRAM_STOPPED),
        (
            ("siteB", "program udp 10.0.102.1 8000"),
            ("siteB", "kill -STOP $(ss -Hulnp sport = :8000 | grep -o 'pid=[0-9]*' | cut -d= -f2)"),
        ),
        edits=(
            Edit(
                'protocol: udp, send: "Hello from A", reply: "Hello from B"',
                'protocol: udp, server: false, send: "Hello from A", reply: "Hello from B"',
            ),
        ),
        lines=("server: false",),
    ),
)
