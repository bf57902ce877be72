"""Engines and sockets: ended, stopped, replaced, in the way of one another."""

from __future__ import annotations

from labctl.diagnosis.reasons import Reason
from tests.diagnosis.fault import Edit, Fault, at

FAULTS = (
    Fault(
        "far engine killed",
        "two-site",
        "ping-across-a-to-b",
        at("siteB:tun1", why=Reason.ENGINE_ENDED),
        (("siteB", "kill -KILL ENGINE[tun1]"),),
    ),
    Fault(
        "near engine stopped",
        "two-site",
        "ping-across-a-to-b",
        at("siteA:tun0", why=Reason.ENGINE_STOPPED),
        (("siteA", "kill -STOP ENGINE[tun0]"),),
    ),
    Fault(
        "far engine stopped behind routers",
        "routed",
        "tunnel",
        at("siteB:tun1", why=Reason.ENGINE_STOPPED),
        (("siteB", "kill -STOP ENGINE[tun1]"),),
    ),
    Fault(
        "engine of one host killed",
        "single-host",
        "silent-neighbour-a",
        at("host:tun0", why=Reason.ENGINE_ENDED),
        (("host", "kill -KILL ENGINE[tun0]"),),
    ),
    Fault(
        "another program has the engine's port",
        "switch",
        "tunnel",
        at("h2:tun1", "h2:eth0", why=(Reason.ENGINE_ENDED, Reason.OTHER_LISTENER)),
        (("h2", "kill -KILL ENGINE[tun1]"), ("h2", "program udp 10.9.0.2 9000")),
    ),
    Fault(
        "another program has the TUN device",
        "two-site",
        "ping-across-a-to-b",
        at("siteA:tun0", why=(Reason.ENGINE_ENDED, Reason.ENGINE_NOT_READING)),
        (("siteA", "kill -KILL ENGINE[tun0]"), ("siteA", "program tun tun0")),
    ),
    Fault(
        "TUN device made anew under the engine",
        "two-site",
        "ping-across-a-to-b",
        at("siteA:tun0", why=(Reason.ENGINE_ENDED, Reason.ENGINE_NOT_READING, Reason.NO_CARRIER)),
        (
            (
                "siteA",
                "ip link del tun0 && ip tuntap add dev tun0 mode tun && ip addr add 10.0.101.1/24 dev tun0 && "
                "ip link set tun0 up && ip route add 10.0.102.0/24 dev tun0",
            ),
        ),
    ),
    Fault(
        "underlay routed into the tunnel",
        "two-site",
        "ping-across-a-to-b",
        at("siteA:tun0", why=(Reason.ROUTING_LOOP, Reason.ROUTE_ELSEWHERE)),
        (("siteA", "ip route add 10.0.2.1/32 dev tun0"),),
    ),
    Fault(
        "TCP port taken",
        "two-site",
        "hello-over-tcp-a-to-b",
        at("siteB:tun1", why=Reason.OTHER_LISTENER),
        (("siteB", "program tcp 10.0.102.1 8000"),),
    ),
    Fault(
        "UDP port taken at every address",
        "two-site",
        "hello-over-udp-b-to-a",
        at("siteA:tun0", why=Reason.OTHER_LISTENER),
        (("siteA", "program udp 0.0.0.0 8000"),),
    ),
    Fault(
        "the server does not run",
        "routed",
        "tcp",
        at("siteB:wan0", "siteB:lan0", why=Reason.NOT_LISTENING),
        edits=(
            Edit(
                'address: 10.0.2.1, port: 8000, reply: "Hello yourself"',
                'address: 10.0.2.1, port: 8000, server: false, reply: "Hello yourself"',
            ),
        ),
        lines=("server: false",),
    ),
    Fault(
        "the server listens on loopback",
        "routed",
        "tcp",
        at("siteB:wan0", "siteB:lan0", "siteB:lo", why=Reason.LISTENS_ELSEWHERE),
        (("siteB", "program tcp 127.0.0.1 8000"),),
        edits=(
            Edit(
                'address: 10.0.2.1, port: 8000, reply: "Hello yourself"',
                'address: 10.0.2.1, port: 8000, server: false, reply: "Hello yourself"',
            ),
        ),
        lines=("server: false",),
    ),
)
