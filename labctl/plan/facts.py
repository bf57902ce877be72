"""What the kernel says there is, as plain data: the other input of the plan, and what `status` shows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from labctl.plan.routes import Route, Rule

STOPPED = " (stopped)"
"""What follows the command of an engine that was stopped, and forwards nothing (SIGSTOP)."""


@dataclass(frozen=True)
class LinkCounters:
    """Packets and bytes of an interface, as the kernel counts them (rtnl_link_stats64)."""

    rx_packets: int = 0
    tx_packets: int = 0
    rx_bytes: int = 0
    tx_bytes: int = 0
    rx_dropped: int = 0
    tx_dropped: int = 0


@dataclass(frozen=True)
class Qdisc:
    """A qdisc that was asked for; `place` is root, ingress, clsact or parent MAJOR:MINOR, as tc(8) has them."""

    kind: str
    place: str


@dataclass(frozen=True)
class Neighbour:
    """Who is behind an IP address: a MAC address, and the state of the entry as ip-neighbour(8) has it, or proxy."""

    to: str
    lladdr: str
    state: str


@dataclass(frozen=True)
class Table:
    """A table of nftables, and how many chains and rules it has."""

    family: str
    name: str
    chains: int
    rules: int


@dataclass(frozen=True)
class Link:
    """An interface: `state` is the operational state of RFC 2863 in lower case, `up` the administrative one."""

    name: str
    kind: str
    up: bool
    carrier: bool
    state: str
    mtu: int
    mac: str = ""
    owner: str = ""  # of a tun or tap: the user who may attach
    peer: str = ""  # of a veth: its other end, as NAMESPACE:INTERFACE; empty where that is not of the lab
    master: str = ""
    netem: str = ""  # what netem does to the packets that it sends, in the words of an impairment
    addrgenmode: str = "eui64"  # empty where the interface has no IPv6, as with an MTU below 1280
    stand_in: str = ""  # the kind that stands in where the kernel lacks `kind`
    options: Mapping[str, str] = field(default_factory=dict)  # what `ip link set` sets, in its words
    qdiscs: tuple[Qdisc, ...] = ()  # but those that the kernel attaches by itself, and `netem`
    neighbours: tuple[Neighbour, ...] = ()
    forwarding: tuple[str, ...] = ()  # of a bridge port: the MAC addresses that the bridge was told to have behind it
    addresses: tuple[str, ...] = ()  # in the kernel's order: the first IPv4 one of a network is its primary
    networks: tuple[str, ...] = ()  # to which the kernel itself has made a route, as it does for every address
    local: tuple[str, ...] = ()  # addresses that the local table has for it: what is sent to them has arrived
    counters: LinkCounters = field(default_factory=LinkCounters)


@dataclass(frozen=True)
class Namespace:
    """One namespace; `sysctls` by their path below /proc/sys, None for one that can only be written.

    `routes` are those that the kernel did not make by itself, of every table; `rules` are all, by IP version.
    `xfrm` counts the policies and states of IPsec; `unseen` is what could not be looked at here, and why.
    """

    links: Mapping[str, Link] = field(default_factory=dict)
    routes: tuple[Route, ...] = ()
    rules: Mapping[int, tuple[Rule, ...]] = field(default_factory=dict)
    sysctls: Mapping[str, str | None] = field(default_factory=dict)
    tables: tuple[Table, ...] = ()
    xfrm: Mapping[str, int] = field(default_factory=dict)
    unseen: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Substitution:
    """Something that this machine lacks, and what labctl used instead."""

    subject: str
    wanted: str
    used: str
    reason: str


@dataclass(frozen=True)
class Facts:
    """Everything observed of one lab; `engines` are the running ones: their command by device, NAMESPACE:INTERFACE.

    `impaired` are the engines that impair differently than their commands say: the words, by device and direction.
    `outdated` are those that have to be started anew though their command is the wanted one: why, by device.
    """

    namespaces: Mapping[str, Namespace] = field(default_factory=dict)
    engines: Mapping[str, str] = field(default_factory=dict)
    impaired: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    outdated: Mapping[str, str] = field(default_factory=dict)


NOTHING = Facts()
