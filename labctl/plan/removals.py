"""What is there and should not be: the other half of the difference between the file and the kernel.

Only what is inside the lab's own namespaces counts, and only what the file can describe. What the kernel makes by
itself stays: link-local addresses, the addresses of `lo`, the routes that come with an address. A sysctl that is no
longer in the file keeps its value, because nobody knows what it was before.

Removals come before everything else, so that names, addresses and ports are free for what follows. What goes with an
interface is not taken away by itself.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Collection, Iterator

from labctl.plan.facts import STOPPED, Facts, Link
from labctl.plan.foreign import Hosts, foreign
from labctl.plan.holds import End, ends, is_whole, peer_of
from labctl.plan.impairing import is_served
from labctl.plan.route_removals import Loss, route_removals, rule_removals
from labctl.plan.steps import (
    AddAddress,
    AddLink,
    AddNamespace,
    AddVeth,
    ClearMaster,
    ClearNetem,
    DeleteAddress,
    DeleteLink,
    DeleteNamespace,
    Removal,
    SetMaster,
    SetNetem,
    StartEngine,
    Step,
    StopEngine,
)
from labctl.topology.routing import brings_network

_OWN_OF_LO = ("127.0.0.1/8", "::1/128")


def removals(wanted: Collection[Step], facts: Facts) -> Iterator[Removal]:
    """The steps that take away what no wanted step makes: engines, routes, addresses, links, namespaces."""
    kept: dict[str, list[Step]] = {step.namespace: [] for step in wanted if isinstance(step, AddNamespace)}
    for step in wanted:
        kept[step.namespace].append(step)
    doomed = dict(_links(wanted, facts, kept))
    hosts = Hosts.of(wanted, facts)
    yield from _engines(wanted, facts, doomed)
    for name, space in facts.namespaces.items():
        if name in kept:
            staying = {interface: link for interface, link in space.links.items() if (name, interface) not in doomed}
            yield from foreign(name, space, staying, hosts)
            yield from rule_removals(kept[name], name, space)
            going = list(_addresses(kept[name], name, staying))
            yield from route_removals(kept[name], name, space, Loss.of(space, staying, going))
            yield from going
            yield from _masters(kept[name], name, staying)
            yield from _netems(kept[name], name, staying)
    for end in sorted(doomed):
        peer = peer_of(facts, end)
        if peer not in doomed or end < peer:  # a cable goes with either of its ends
            yield DeleteLink(*end, why=doomed[end])
    for name in facts.namespaces:
        if name not in kept:
            yield DeleteNamespace(name)


def _links(wanted: Collection[Step], facts: Facts, kept: Collection[str]) -> Iterator[tuple[End, str]]:
    """Links that are not wanted, are of another kind or owner, or are an end of a cable that leads elsewhere; why."""
    made = {(step.namespace, step.interface): step for step in wanted if isinstance(step, AddLink)}
    cables = [step for step in wanted if isinstance(step, AddVeth)]
    whole = {end for cable in cables if is_whole(cable, facts) for end in ends(cable)}
    other_ends = {one: other for cable in cables for one, other in (ends(cable), reversed(ends(cable)))}
    for name, space in facts.namespaces.items():
        for interface, link in space.links.items() if name in kept else ():
            here = (name, interface)
            if link.kind == "lo" or here in whole:
                continue
            if here in other_ends:
                yield here, _no_such_cable(link, other_ends[here])
            elif here not in made:
                yield here, "is not in the file"
            elif link.kind != made[here].kind:
                yield here, f"is a {link.kind}, not a {made[here].kind}"
            elif link.owner != (made[here].owner or ""):
                yield here, f"its owner is {link.owner or 'not set'}"


def _no_such_cable(link: Link, other: End) -> str:
    if link.kind != "veth":
        return f"is a {link.kind}, not a veth"
    return f"leads to {link.peer or 'nothing of the lab'}, not to {':'.join(other)}"


def _engines(wanted: Collection[Step], facts: Facts, doomed: Collection[End]) -> Iterator[StopEngine]:
    """Engines of devices that go, that are served in another way from now on, or whose namespace is lost."""
    served = {step.subject: step for step in wanted if isinstance(step, StartEngine)}
    for device, command in facts.engines.items():
        namespace, _, interface = device.partition(":")
        space = facts.namespaces.get(namespace)
        stays = space is not None and interface in space.links and (namespace, interface) not in doomed
        if not stays:
            yield StopEngine(namespace, interface, command, why="its device goes")
        elif device not in served:
            yield StopEngine(namespace, interface, command)
        elif device in facts.outdated:
            yield StopEngine(namespace, interface, command, why=facts.outdated[device])
        elif command.endswith(STOPPED):
            yield StopEngine(namespace, interface, command, why="forwards nothing")
        elif not is_served(served[device], command):
            yield StopEngine(namespace, interface, command, why=f"is to be {served[device].command}")


def _addresses(wanted: Collection[Step], name: str, links: dict[str, Link]) -> Iterator[DeleteAddress]:
    addresses = {(step.interface, step.address) for step in wanted if isinstance(step, AddAddress)}
    for interface, link in links.items():
        going: dict[str, str] = {}  # and why
        for address in link.addresses:
            if (interface, address) not in addresses and not _is_the_kernels(address, link):
                going[address] = "is not in the file"
            elif lost := _lost_route(address, link):
                going[address] = f"its route to {lost} is gone"
            elif (primary := _primary_of(address, link)) in going:
                going[address] = f"goes with {primary}, the first of its network"
        # The others of a network before its first: with that they would go by themselves, or not (promote_secondaries).
        for address, why in reversed(going.items()):
            yield DeleteAddress(name, interface, address, why=why)


def _is_the_kernels(address: str, link: Link) -> bool:
    own = address.partition("/")[0].partition(" ")[0]
    return (link.kind == "lo" and address in _OWN_OF_LO) or ipaddress.ip_address(own).is_link_local


def _primary_of(address: str, link: Link) -> str:
    """The first IPv4 address of the same network: the kernel has the others as its secondaries (ip-address(8))."""
    if ":" in address or " " in address:
        return address
    network = ipaddress.ip_interface(address).network
    same = (other for other in link.addresses if ":" not in other and " " not in other)
    return next(other for other in same if ipaddress.ip_interface(other).network == network)


def _lost_route(address: str, link: Link) -> str:
    """The route that is gone of those that an address brings along while its interface is up, or empty.

    They are one to itself in the local table, and one to its network where it brings that along.
    """
    if not link.up or _is_the_kernels(address, link):
        return ""
    own = ipaddress.ip_interface(address)
    itself = f"{own.ip}/{own.max_prefixlen}"
    if itself not in link.local:
        return f"{itself} in table local"
    has_one = link.kind != "lo" and brings_network(own)
    return str(own.network) if has_one and str(own.network) not in link.networks else ""


def _masters(wanted: Collection[Step], name: str, links: dict[str, Link]) -> Iterator[ClearMaster]:
    ports = {(step.interface, step.master) for step in wanted if isinstance(step, SetMaster)}
    for interface, link in links.items():
        if link.master and (interface, link.master) not in ports:
            yield ClearMaster(name, interface, link.master)


def _netems(wanted: Collection[Step], name: str, links: dict[str, Link]) -> Iterator[ClearNetem]:
    impaired = {step.interface for step in wanted if isinstance(step, SetNetem)}
    for interface, link in links.items():
        if link.netem and interface not in impaired:
            yield ClearNetem(name, interface, link.netem)
