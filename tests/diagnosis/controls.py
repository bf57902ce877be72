"""Changes that are no faults: every check still passes, and there is nothing to explain."""

from __future__ import annotations

from tests.diagnosis.fault import Control, Edit, rule

A_TO_B = '{device: "siteA:tun0", bind: "10.0.1.1:9000", peer: "10.0.2.1:9000"}'
LLADDR = "$(ip neigh show 10.9.0.2 | grep -o 'lladdr [^ ]*')"

CONTROLS = (
    Control(
        "impaired by nothing",
        "two-site",
        edits=(Edit(A_TO_B, A_TO_B.replace("}", ", impair: {loss: 0%, delay: 1ms}}")),),
    ),
    Control("route that nothing takes", "two-site", (("siteA", "ip route add 203.0.113.0/24 via 192.0.2.2"),)),
    Control("blackhole for another network", "routed", (("r1", "ip route add blackhole 203.0.113.0/24"),)),
    Control("rule for another network", "two-site", (("siteA", "ip rule add to 203.0.113.0/24 prohibit"),)),
    Control("firewall that accepts", "two-site", (("siteB", rule("input", "accept")),)),
    Control("firewall that drops another port", "routed", (("siteB", rule("input", "udp dport 9999 drop")),)),
    Control("firewall that counts and follows", "routed", (("r1", rule("forward", "ct state vmap { new : accept }")),)),
    Control(
        "masquerade for another interface",
        "two-site",
        (("siteA", rule("postrouting", "oif lo masquerade", "ip", "nat", 100)),),
    ),
    Control("stranger sends to the engine", "two-site", (("siteA", "program send 10.0.2.1 9000"),)),
    Control(
        "neighbour that is right and permanent",
        "switch",
        (("h1", f"ping -qc1 10.9.0.2 && ip neigh replace 10.9.0.2 {LLADDR} dev eth0 nud permanent"),),
    ),
    Control("second address of an interface", "routed", (("siteB", "ip addr add 192.0.2.130/30 dev wan0"),)),
    Control(
        "reverse path filter where the way back is the same",
        "routed",
        (("r1", "sysctl -qw net.ipv4.conf.all.rp_filter=1"),),
    ),
    Control("slow machine", "two-site", tuple(("siteB", "program busy") for _ in range(3))),
    Control("server of another port", "two-site", (("siteB", "program tcp 0.0.0.0 8001"),)),
    Control("larger MTU", "ipv6", (("r", "ip link set dev b mtu 9000"),)),
    Control(
        "queue that has dropped packets before",
        "routed",
        (
            (
                "r1",
                "tc qdisc add dev b root tbf rate 100kbit burst 2000 limit 2000; ping -qf -c20 -l20 -s1400 192.0.2.6; "
                "tc qdisc change dev b root tbf rate 1gbit burst 200000 limit 200000",
            ),
        ),
    ),
    Control("masquerade by the file", "nat"),
    Control("ruleset of the file that redirects", "dnat"),
    Control(
        "router that masquerades",
        "routed",
        (("r1", rule("postrouting", "oif b ip protocol icmp masquerade", "ip", "nat", 100)),),
    ),
)
