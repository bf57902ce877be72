"""The reasons for which a packet is lost, as JSON has them. What is not known has a reason of its own."""

from __future__ import annotations

from enum import StrEnum


class Reason(StrEnum):
    """Why a packet ended where it did."""

    UNKNOWN = "unknown"  # lost between two places; what took it was not measured
    NOT_STARTED = "not-started"  # the probe could not be sent: namespace, address or port of its own

    # Engines
    ENGINE_ENDED = "engine-ended"
    ENGINE_STOPPED = "engine-stopped"  # SIGSTOP, a debugger, a freezer
    ENGINE_NOT_READING = "engine-not-reading"  # no program has the TUN device open, or it does not read it
    ENGINE_BOUND_ELSEWHERE = "engine-bound-elsewhere"  # not where the other end sends to
    ENGINE_SENDS_ELSEWHERE = "engine-sends-elsewhere"  # not where the other end is bound
    STRANGER = "stranger"  # the sender is not the peer of the engine, which drops its datagrams
    ROUTING_LOOP = "routing-loop"
    ENGINE_DROP = "engine-drop"  # any other drop that an engine counts, by its name

    # Routes
    NO_ROUTE = "no-route"
    ROUTE_ELSEWHERE = "route-elsewhere"  # another route or rule takes the packet to another interface
    ROUTE_REJECTS = "route-rejects"  # blackhole, unreachable, prohibit, throw
    WRONG_NEXT_HOP = "wrong-next-hop"
    WRONG_SOURCE = "wrong-source"  # the route or the kernel chose another source address

    # Links
    INTERFACE_MISSING = "interface-missing"
    CABLED_ELSEWHERE = "cabled-elsewhere"  # the cable leads to another interface than the file says
    LINK_DOWN = "link-down"  # at the hop that is named
    NO_CARRIER = "no-carrier"  # neither end is down
    PORT_NOT_FORWARDING = "port-not-forwarding"  # of a bridge: STP state, isolation, VLAN filter, not in the bridge

    # Addresses
    ADDRESS_MISSING = "address-missing"
    ADDRESS_ELSEWHERE = "address-elsewhere"  # on another interface or in another namespace
    ADDRESS_DUPLICATE = "address-duplicate"
    WRONG_PREFIX = "wrong-prefix"
    IPV6_OFF = "ipv6-off"
    TENTATIVE = "tentative"
    DAD_FAILED = "dad-failed"

    # Neighbours
    NEIGHBOUR_FAILED = "neighbour-failed"
    NEIGHBOUR_WRONG = "neighbour-wrong"  # another link-layer address than the next hop has, permanent or not
    NO_ARP = "no-arp"  # NOARP, arp_ignore

    # Sizes
    MTU = "mtu"  # larger than the next MTU, and must not be fragmented
    MTU_BLACK_HOLE = "mtu-black-hole"  # the same, and the sender is not told
    ICMP_FILTERED = "icmp-filtered"

    # Settings
    FORWARDING_OFF = "forwarding-off"
    RP_FILTER = "rp-filter"
    MARTIAN = "martian"
    ECHO_IGNORED = "echo-ignored"
    TTL = "ttl"

    # Filters
    FIREWALL = "firewall"
    NAT = "nat"
    TRAFFIC_CONTROL = "traffic-control"  # tc: a filter, a qdisc, netem
    XFRM = "xfrm"  # an IPsec policy
    CORRUPTED = "corrupted"  # checksum

    # Sockets
    NOT_LISTENING = "not-listening"
    OTHER_LISTENER = "other-listener"  # another program has the port
    LISTENS_ELSEWHERE = "listens-elsewhere"
    PROGRAM_STOPPED = "program-stopped"  # it has the port: SIGSTOP, a debugger, a freezer
    SOCKET_BUFFER = "socket-buffer"  # or the queue of a TUN device: its program has not read as much as came

    IMPAIRED = "impaired"  # by labctl, as the file or `labctl impair` says
    ANSWERED_BY_ANOTHER = "answered-by-another"  # the reply is not of the namespace that the file means
    ANSWERED = "answered"  # as the file has it, where the check wants no answer
