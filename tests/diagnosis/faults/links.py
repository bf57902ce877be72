"""Links: down, gone, not in the bridge, without ARP."""

from __future__ import annotations

from labctl.diagnosis.reasons import Reason
from tests.diagnosis.fault import Fault, at, exactly

FAULTS = (
    Fault(
        "cable down at the sender",
        "two-site",
        "underlay",
        exactly("siteA:wan0", Reason.LINK_DOWN),
        (("siteA", "ip link set wan0 down"),),
    ),
    Fault(
        "cable down at the other end",
        "two-site",
        "underlay",
        exactly("siteB:wan0", Reason.LINK_DOWN),
        (("siteB", "ip link set wan0 down"),),
    ),
    Fault(
        "far TUN device down",
        "two-site",
        "ping-across-a-to-b",
        exactly("siteB:tun1", Reason.LINK_DOWN),
        (("siteB", "ip link set tun1 down"),),
    ),
    Fault(
        "cable between routers down",
        "routed",
        "tunnel",
        exactly("r1:b", Reason.LINK_DOWN),
        (("r1", "ip link set dev b down"),),
    ),
    Fault(
        "last cable down at the far site",
        "routed",
        "underlay",
        exactly("siteB:wan0", Reason.LINK_DOWN),
        (("siteB", "ip link set wan0 down"),),
    ),
    Fault(
        "bridge down",
        "switch",
        "h1-h2",
        exactly("sw:br0", Reason.LINK_DOWN),
        (("sw", "ip link set br0 down"),),
    ),
    Fault(
        "port of the bridge down",
        "switch",
        "tunnel",
        exactly("sw:p2", Reason.LINK_DOWN),
        (("sw", "ip link set p2 down"),),
    ),
    Fault(
        "port out of the bridge",
        "switch",
        "h1-h2",
        at("sw:p2", "sw:br0", why=Reason.PORT_NOT_FORWARDING),
        (("sw", "ip link set p2 nomaster"),),
    ),
    Fault(
        "spanning tree still listens",
        "switch",
        "h1-h2",
        at("sw:p1", "sw:p2", "sw:br0", why=Reason.PORT_NOT_FORWARDING),
        (
            ("sw", "ip link set dev br0 type bridge stp_state 1 forward_delay 3000"),
            ("sw", "ip link set dev p1 down && ip link set dev p1 up"),
        ),
    ),
    Fault(
        "ports isolated from each other",
        "switch",
        "h1-h2",
        at("sw:p1", "sw:p2", "sw:br0", why=Reason.PORT_NOT_FORWARDING),
        (("sw", "bridge link set dev p1 isolated on && bridge link set dev p2 isolated on"),),
    ),
    Fault(
        "cable deleted",
        "two-site",
        "underlay",
        at("siteA:wan0", "siteB:wan0", why=Reason.INTERFACE_MISSING),
        (("siteA", "ip link del wan0"),),
    ),
    Fault(
        "TUN device deleted",
        "routed",
        "tunnel",
        at("siteB:tun1", why=(Reason.INTERFACE_MISSING, Reason.ENGINE_ENDED)),
        (("siteB", "ip link del tun1"),),
    ),
    Fault(
        "loopback down",
        "two-site",
        "own-tun-address-a",
        at("siteA:lo", why=Reason.LINK_DOWN),
        (("siteA", "ip link set lo down"),),
    ),
    Fault(
        "no ARP on an interface",
        "switch",
        "h1-h2",
        at("h2:eth0", why=Reason.NO_ARP),
        (("h2", "ip link set eth0 arp off"),),
    ),
    Fault(
        "ARP is not answered",
        "two-site",
        "underlay",
        at("siteB:wan0", why=Reason.NO_ARP),
        (("siteB", "sysctl -qw net.ipv4.conf.wan0.arp_ignore=8"),),
    ),
    Fault(
        "wrong permanent neighbour",
        "two-site",
        "underlay",
        at("siteA:wan0", why=Reason.NEIGHBOUR_WRONG),
        (("siteA", "ip neigh replace 192.0.2.2 lladdr 02:00:00:00:00:99 dev wan0 nud permanent"),),
    ),
    Fault(
        "wrong permanent neighbour at the last router",
        "routed",
        "tunnel",
        at("r2:b", why=Reason.NEIGHBOUR_WRONG),
        (("r2", "ip neigh replace 192.0.2.10 lladdr 02:00:00:00:00:99 dev b nud permanent"),),
    ),
    Fault(
        "neighbours are not asked for",
        "two-site",
        "underlay",
        at("siteA:wan0", why=(Reason.NEIGHBOUR_FAILED, Reason.NO_ARP)),
        (("siteA", "sysctl -qw net.ipv4.neigh.wan0.mcast_solicit=0 && ip neigh flush dev wan0"),),
    ),
)
