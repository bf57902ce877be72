"""What is observed of a lab, as plain data: the other input of the plan, and what `status` shows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Literal

from labctl.engine.packets.impairment import Impairment
from labctl.frozen import frozen
from labctl.plan.cable_spec import CableSpec
from labctl.plan.engine_spec import Direction, EngineSpec
from labctl.plan.firewall import Applied, Listing
from labctl.plan.own_file import OwnFile
from labctl.plan.program_spec import ProgramSpec
from labctl.plan.recorded import Ran
from labctl.plan.routes import Route, Rule
from labctl.topology.interface_ref import InterfaceRef
from labctl.topology.program_ref import ProgramRef


@frozen
class LinkCounters:
    """Packets and bytes of an interface, as the kernel counts them (rtnl_link_stats64)."""

    rx_packets: int = 0
    tx_packets: int = 0
    rx_bytes: int = 0
    tx_bytes: int = 0
    rx_dropped: int = 0
    tx_dropped: int = 0


@frozen
class Qdisc:
    """A qdisc that was asked for; `place` is root, ingress, clsact or parent MAJOR:MINOR, as tc(8) has them."""

    kind: str
    place: str


@frozen
class Neighbour:
    """What is behind an IP address: a MAC address, and the state of the entry as ip-neighbour(8) has it, or proxy."""

    to: str
    lladdr: str
    state: str

    def is_in_place_of(self, other: Neighbour) -> bool:
        """Return whether a table that has the one cannot have the other beside it."""
        return self.to == other.to and (self.state == "proxy") == (other.state == "proxy")


@frozen
class Table:
    """A table of nftables, and how many chains and rules it has."""

    family: str
    name: str
    chains: int
    rules: int


@frozen
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
    persistent: bool = True  # and not a tun or tap that goes with the program that has made it
    peer: InterfaceRef | None = None  # of a veth: its other end, where that is of the lab
    master: str = ""
    netem: Impairment | None = None  # what packets suffer that it sends, where it has a netem qdisc
    addrgenmode: str = "eui64"  # empty where the interface has no IPv6, as with an MTU below 1280
    stand_in: str = ""  # the kind that stands in where the kernel lacks `kind`
    options: Mapping[str, str] = field(default_factory=dict)  # what `ip link set` sets, in its words
    qdiscs: tuple[Qdisc, ...] = ()  # but those that the kernel attaches by itself, and `netem`
    neighbours: tuple[Neighbour, ...] = ()
    forwarding: tuple[str, ...] = ()  # of a bridge port: the MAC addresses that the bridge was told to have behind it
    addresses: tuple[str, ...] = ()  # in the kernel's order: the first IPv4 one of a network is its primary
    by_itself: tuple[str, ...] = ()  # those of the addresses that the kernel has made: link-local ones of IPv6
    networks: tuple[str, ...] = ()  # to which the kernel itself has made a route, as it does for every address
    local: tuple[str, ...] = ()  # addresses that the local table has for it: what is sent to them has arrived
    counters: LinkCounters = field(default_factory=LinkCounters)


@frozen
class Namespace:
    """One namespace; `sysctls` by their path below /proc/sys, None for one that can only be written.

    `routes` are those that the kernel did not make by itself, of every table; `rules` are all, by IP version.
    `tables` and `listing` are what it has of nftables, `firewall` what labctl has made of it as the file asked for.
    `xfrm` counts the policies and states of IPsec; `unseen` is what could not be looked at here, and why.
    """

    links: Mapping[str, Link] = field(default_factory=dict)
    routes: tuple[Route, ...] = ()
    rules: Mapping[int, tuple[Rule, ...]] = field(default_factory=dict)
    sysctls: Mapping[str, str | None] = field(default_factory=dict)
    tables: tuple[Table, ...] = ()
    files: Mapping[str, OwnFile] = field(default_factory=dict)  # what it alone has, by path
    listing: Listing = field(default_factory=dict)
    firewall: Applied | None = None
    hosts: str | None = None  # the digest of what its hosts file says of the lab; None where it has none of its own
    ran: tuple[Ran, ...] = ()  # the lines that have run
    xfrm: Mapping[str, int] = field(default_factory=dict)
    unseen: Mapping[str, str] = field(default_factory=dict)


@frozen
class RunningEngine:
    """An engine that runs: `spec` is what it was started as, `impairments` what packets suffer in it now."""

    spec: EngineSpec
    impairments: Mapping[Direction, Impairment]
    stopped: bool = False  # by SIGSTOP: it forwards nothing
    outdated: str = ""  # why it has to be started again, though it was started as the file asks


@frozen
class RunningCable:
    """The engine of an end of a cable that runs: what it was started as."""

    spec: CableSpec
    stopped: bool = False  # by SIGSTOP


@frozen
class FoundProgram:
    """A program that was started, and what has become of it; `waiting`: it has ended, and will be started again."""

    spec: ProgramSpec
    state: Literal["running", "stopped", "waiting", "ended"]
    ended: str = ""  # how it ended the last time, if it ever did
    outdated: str = ""  # why it has to be started again, though it was started as the file asks

    @property
    def is_there(self) -> bool:
        """Return whether there is anything of it to end."""
        return self.state != "ended"


@frozen
class Facts:
    """Everything observed of one lab: its namespaces, the engines that run by their device, and its programs; and
    those of cables between hosts."""

    namespaces: Mapping[str, Namespace] = field(default_factory=dict)
    engines: Mapping[InterfaceRef, RunningEngine] = field(default_factory=dict)
    programs: Mapping[ProgramRef, FoundProgram] = field(default_factory=dict)
    cables: Mapping[InterfaceRef, RunningCable] = field(default_factory=dict)

    def link(self, ref: InterfaceRef) -> Link | None:
        """Return what was observed of an interface; None where it is not there."""
        space = self.namespaces.get(ref.namespace)
        return space.links.get(ref.interface) if space else None


NOTHING = Facts()
