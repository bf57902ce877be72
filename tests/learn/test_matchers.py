"""What the shipped lessons wait for is met by what is meant, and not by what comes nearest to it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import pytest
import yaml
from scapy.layers.inet import ICMP, IP, TCP, UDP, IPerror, UDPerror
from scapy.packet import Raw

from labctl.checks.icmp import MARK
from labctl.learn.goals import commands_of, patterns_of
from labctl.learn.lesson.load import LessonFile
from labctl.learn.lesson.shipped import find, load_named
from labctl.learn.lesson.variables import values_of
from labctl.trace import dissect
from labctl.trace.pattern import PacketPattern

SEED = 1
A, B = "10.0.101.1", "10.0.102.1"


def echo(source: str, to: str, size: int = 56, *, reply: bool = False, data: bytes = b"") -> Any:
    return IP(src=source, dst=to) / ICMP(type=0 if reply else 8) / Raw(data or bytes(size))


def fits(pattern: PacketPattern, packets: Iterable[Any]) -> list[bool]:
    read = [dissect.packet(bytes(packet)) for packet in packets]
    return [packet is not None and pattern.fits(pattern.at, packet) for packet in read]


def values(lesson: str, seed: int) -> dict[str, str]:
    """The variables of a lesson for a seed."""
    _, front, _ = (find(lesson) / "lesson.md").read_text().split("---\n", 2)
    return values_of(yaml.safe_load(front).get("vars"), lesson, seed)


def step_of(file: LessonFile, name: str) -> Any:
    return next(step for step in file.steps if step.name == name)


LOOKS = ["ip a", "ip addr", "ip -br addr", "ip -4 -br address show dev wan0", "ip a | grep inet"]
TYPED = [
    (
        "cable", "look", LOOKS,
        ["ip addr add 10.0.0.1/24 dev lo", "ip a d 10.0.0.1/24 dev lo", "ip route add default", "ip l"],
    ),
    (
        "cable", "frame", ["ip n", "ip neigh", "ip -4 neighbour show"],
        ["ip netns", "ip neigh flush all", "ip nexthop", "ip r"],
    ),
    (
        "tun", "other-end", ["ip l", "ip -br link", "ip link show tun0"],
        ["ip link set tun0 down", "ip addr", "ip l a x"],
    ),
    (
        "tun", "own-device",
        ["ip tuntap add dev tun9 mode tun", "ip tuntap add mode tun tun9", "ip tuntap add tun9 mode tun"],
        ["ip tuntap del dev tun9 mode tun", "ip tuntap add dev tun9 mode tap", "ip tuntap add dev tun8 mode tun"],
    ),
    (
        "packet", "ttl", [f"ping -c 1 -t 1 {B}", f"ping {B} -c1 -t1"],
        [f"ping -t 10 {B}", f"ping -c 1 {B}", f"ping -t 1 {B}9"],
    ),
    (
        "mtu", "mtu", ["ip link show tun0", "ip -d l show tun0", "ip a"],
        ["ip link set tun0 mtu 1400", "ip route", "ip addr add 10.0.0.1/8 dev tun0"],
    ),
    (
        "mtu", "too-large", ["ip link set tun0 mtu $mtu", "ip link set dev tun0 mtu $mtu"],
        ["ip link set tun0 mtu 1300", "ip link show tun0"],
    ),
    (
        "single-host", "mode", ["ip tuntap add dev tun2 mode tun"],
        ["ip tuntap add dev tun2", "ip tuntap add dev tun2 mode tap", "ip tuntap add dev tun3 mode tun"],
    ),
]  # fmt: skip


@pytest.mark.parametrize(("lesson", "step", "right", "wrong"), TYPED)
def test_a_command_is_the_one_that_is_meant(lesson: str, step: str, right: list[str], wrong: list[str]) -> None:
    file = load_named(lesson, SEED)
    ((_, pattern),) = commands_of(step_of(file, step)).values()
    for command in right:
        assert re.search(pattern, command.replace("$mtu", values(lesson, SEED).get("mtu", ""))), command
    for command in wrong:
        assert not re.search(pattern, command), command


PINGED = [echo(A, B)], [echo(A, B, reply=True), echo(B, A), echo(A, B, data=MARK + bytes(50))]
REFUSED = IP(src=B, dst=A) / ICMP(type=3, code=3) / IPerror(src=A, dst=B) / UDPerror(sport=5, dport=9)


def packets(lesson: str, step: str, seed: int) -> tuple[list[Any], list[Any]]:
    """Packets that are meant by a goal of a step, and those that come nearest to them."""
    known = {name: int(value) for name, value in values(lesson, seed).items() if value.isdigit()}
    size, mtu, port = (known.get(name, 0) for name in ("size", "mtu", "port"))
    match lesson, step:
        case "cable", "count":
            cable = ("192.0.2.1", "192.0.2.2")
            return [echo(*cable)], [echo(*cable, reply=True), echo(cable[1], cable[0])]
        case "cable", "way-back":
            private = (f"10.0.{known['b']}.1", f"10.0.{known['a']}.1")
            return [echo(*private, reply=True)], [echo(*private), echo("192.0.2.2", private[1], reply=True)]
        case "tun", "own-address":
            return [echo(A, A)], [echo(A, A, reply=True)]
        case "nc", "refused":
            one = IP(src=B, dst=A)
            return [one / TCP(sport=port, flags="RA")], [one / TCP(sport=port + 1, flags="RA")]
        case "nc", "unheard":
            return [REFUSED], [echo(B, A, reply=True), echo(B, A)]
        case ("packet", "size") | ("packet", "headers"):
            return [echo(A, B, size)], [echo(A, B, size + 1), echo(A, B), echo(A, B, size, reply=True)]
        case "mtu", "largest":
            nearest = [echo(A, B, mtu - 57), echo(A, B, mtu - 55), echo(A, B, mtu - 56, reply=True)]
            return [echo(A, B, mtu - 56)], [*nearest, *echo(A, B, 3000).fragment(mtu - 48)]
        case "mtu", "fragments":
            return echo(A, B, 3000).fragment(mtu - 48), [echo(A, B, mtu - 56), echo(A, B)]
        case "mtu", "too-large":
            return [echo(A, B, mtu - 28)], [echo(A, B, mtu - 56), echo(A, B, mtu - 29)]
        case "own-ttun", "out":
            one = IP(src="10.0.1.1", dst="10.0.2.1") / UDP(sport=9000, dport=9000)
            return [one / Raw(bytes(84))], [one / Raw(bytes(88)), one / Raw(bytes(83))]
        case "single-host", "itself":
            return [IP(src=B, dst=B) / TCP(dport=port)], [IP(src=B, dst=B) / TCP(dport=port + 1, sport=port + 2)]
    return PINGED


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize(
    ("lesson", "step"),
    [
        ("cable", "count"), ("cable", "way-back"), ("tun", "own-address"), ("nc", "refused"), ("nc", "unheard"),
        ("packet", "read"), ("packet", "size"), ("packet", "headers"), ("mtu", "largest"), ("mtu", "fragments"),
        ("mtu", "too-large"), ("loss", "delay"), ("loss", "loss"), ("firewall", "twice"), ("own-ttun", "out"),
        ("single-host", "itself"),
    ],
)  # fmt: skip
def test_a_packet_is_one_that_is_meant(lesson: str, step: str, seed: int) -> None:
    file = load_named(lesson, seed)
    (pattern,) = patterns_of(step_of(file, step)).values()
    right, wrong = packets(lesson, step, seed)
    assert (fits(pattern, right), fits(pattern, wrong)) == ([True] * len(right), [False] * len(wrong))
