"""Mistakes in the file, of the kind that `up` accepts."""

from __future__ import annotations

from labctl.diagnosis.reasons import Reason
from tests.diagnosis.fault import PROGRAM, Edit, Fault, at

ENDS = (Reason.ENGINE_BOUND_ELSEWHERE, Reason.ENGINE_SENDS_ELSEWHERE, Reason.STRANGER)
BOTH_ENDS = ('device: "siteA:tun0"', 'device: "siteB:tun1"')
ENDPOINT = "{device} {bind_address} {bind_port}"
A_TO_B = '{device: "siteA:tun0", bind: "10.0.1.1:9000", peer: "10.0.2.1:9000"}'
B_TO_A = '{device: "siteB:tun1", bind: "10.0.2.1:9000", peer: "10.0.1.1:9000"}'

FAULTS = (
    Fault(
        "peer has another port",
        "two-site",
        "ping-across-a-to-b",
        at("siteA:tun0", "siteB:tun1", why=(Reason.NOT_LISTENING, *ENDS)),
        edits=(Edit(A_TO_B, A_TO_B.replace("10.0.2.1:9000", "10.0.2.1:9001")),),
        lines=BOTH_ENDS,
    ),
    Fault(
        "bound to another port",
        "two-site",
        "ping-across-a-to-b",
        at("siteA:tun0", "siteB:tun1", why=ENDS),
        edits=(Edit(A_TO_B, A_TO_B.replace("10.0.1.1:9000", "10.0.1.1:9009")),),
        lines=BOTH_ENDS,
    ),
    Fault(
        "peer has another address",
        "two-site",
        "ping-across-b-to-a",
        at("siteA:tun0", "siteB:tun1", why=(Reason.NOT_LISTENING, Reason.LISTENS_ELSEWHERE, *ENDS)),
        edits=(Edit(B_TO_A, B_TO_A.replace("10.0.1.1:9000", "192.0.2.1:9000")),),
        lines=BOTH_ENDS,
    ),
    Fault(
        "peer is nobody",
        "routed",
        "tunnel",
        at("siteA:tun0", "siteB:tun1", "siteB:wan0", why=(Reason.ADDRESS_MISSING, *ENDS)),
        edits=(Edit(A_TO_B, A_TO_B.replace("10.0.2.1:9000", "10.0.2.3:9000")),),
        lines=BOTH_ENDS,
    ),
    Fault(
        "router is none",
        "routed",
        "underlay",
        at("r1:a", why=Reason.FORWARDING_OFF),
        edits=(
            Edit(
                "{to: 192.0.2.8/30, via: 192.0.2.6}\n    sysctls: {net.ipv4.ip_forward: 1}",
                "{to: 192.0.2.8/30, via: 192.0.2.6}\n    sysctls: {net.ipv4.ip_forward: 0}",
            ),
        ),
        lines=("net.ipv4.ip_forward: 0", "  r1:"),
    ),
    Fault(
        "IPv6 router is none",
        "ipv6",
        "underlay",
        at("r:a", why=Reason.FORWARDING_OFF),
        edits=(Edit("sysctls: {net.ipv6.conf.all.forwarding: 1}", "sysctls: {net.ipv6.conf.all.forwarding: 0}"),),
        lines=("forwarding: 0", "  r:"),
    ),
    Fault(
        "route back forgotten at a router",
        "routed",
        "underlay-back",
        at("r1:a", "r1:b", why=Reason.NO_ROUTE),
        edits=(Edit("- {to: 192.0.2.8/30, via: 192.0.2.6}", "# forgotten"),),
        lines=("  r1:", "- {to: 10.0.1.0/24, via: 192.0.2.1}", "- {to: 10.0.2.0/24, via: 192.0.2.6}", "# forgotten"),
    ),
    Fault(
        "route into the tunnel forgotten at the far site",
        "two-site",
        "ping-across-a-to-b",
        at("siteB:tun1", why=Reason.NO_ROUTE),
        edits=(Edit("- {to: 10.0.101.0/24, dev: tun1}", "# forgotten"),),
        lines=("  siteB:", "- {to: 10.0.1.0/24, via: 192.0.2.1}", "# forgotten"),
    ),
    Fault(
        "router's next hop is where the packet came from",
        "routed",
        "underlay",
        at("r1:a", "r1:b", why=(Reason.WRONG_NEXT_HOP, Reason.ROUTE_ELSEWHERE, Reason.TTL)),
        edits=(Edit("{to: 10.0.2.0/24, via: 192.0.2.6}", "{to: 10.0.2.0/24, via: 192.0.2.1}"),),
        lines=("{to: 10.0.2.0/24, via: 192.0.2.1}",),
    ),
    Fault(
        "port forgotten in the bridge",
        "switch",
        "h1-h2",
        at("sw:p2", "sw:br0", why=Reason.PORT_NOT_FORWARDING),
        edits=(Edit("ports: [p1, p2, p3]", "ports: [p1, p3]"),),
        lines=("ports:", "p2:"),
    ),
    Fault(
        "narrow link in the file",
        "routed",
        "large",
        at("r1:b", why=Reason.MTU),
        edits=(
            Edit(
                'b: {kind: veth, peer: "r2:a", addresses: [192.0.2.5/30]}',
                'b: {kind: veth, peer: "r2:a", addresses: [192.0.2.5/30], mtu: 1300}',
            ),
        ),
        lines=("mtu: 1300",),
    ),
    Fault(
        "tunnel loses most",
        "two-site",
        "ping-across-a-to-b",
        at("siteA:tun0", why=Reason.IMPAIRED),
        edits=(Edit(A_TO_B, A_TO_B.replace("}", ", impair: {loss: 90%, seed: 1}}")),),
        lines=("loss: 90%",),
    ),
    Fault(
        "tunnel corrupts everything on its way in",
        "two-site",
        "ping-across-a-to-b",
        at("siteB:tun1", why=(Reason.IMPAIRED, Reason.CORRUPTED)),
        edits=(Edit(B_TO_A, B_TO_A.replace("}", ", impair_in: {corrupt: 100%}}")),),
        lines=("corrupt: 100%",),
    ),
    Fault(
        "program in place of the engine ends at the first packet",
        "two-site",
        "ping-across-a-to-b",
        at("siteB:tun1", why=Reason.ENGINE_ENDED),
        edits=(Edit(B_TO_A, B_TO_A.replace("}", f", engine: {{command: '{PROGRAM} brief {ENDPOINT}'}}}}")),),
        lines=("brief",),
    ),
    Fault(
        "program in place of the engine reads nothing",
        "two-site",
        "ping-across-a-to-b",
        at("siteB:tun1", why=(Reason.ENGINE_NOT_READING, Reason.ENGINE_STOPPED, Reason.SOCKET_BUFFER)),
        edits=(Edit(B_TO_A, B_TO_A.replace("}", f", engine: {{command: '{PROGRAM} lazy {ENDPOINT}'}}}}")),),
        lines=("lazy",),
    ),
    Fault(
        "cable loses most",
        "two-site",
        "underlay",
        at("siteA:wan0", why=(Reason.IMPAIRED, Reason.TRAFFIC_CONTROL)),
        edits=(
            Edit(
                'peer: "siteB:wan0", addresses: [192.0.2.1/30]}',
                'peer: "siteB:wan0", addresses: [192.0.2.1/30], impair: {loss: 90%}}',
            ),
        ),
        lines=("loss: 90%",),
        needs="netem",
    ),
)
