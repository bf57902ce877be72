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

from labctl.plan.aftermath import same_route
from labctl.plan.facts import Facts, Link, Namespace
from labctl.plan.impairing import is_served
from labctl.plan.steps import (
    AddAddress,
    AddLink,
    AddNamespace,
    AddRoute,
    AddVeth,
    ClearMaster,
    ClearNetem,
    DeleteAddress,
    DeleteLink,
    DeleteNamespace,
    DeleteRoute,
    Removal,
    SetMaster,
    SetNetem,
    StartEngine,
    Step,
    StopEngine,
)

_OWN_OF_LO = ("127.0.0.1/8", "::1/128")

End = tuple[str, str]
"""An interface: its namespace and its name."""


def surplus(wanted: Collection[Step], facts: Facts) -> Iterator[Removal]:
    """The steps that take away what no wanted step makes: engines, routes, addresses, links, namespaces."""
    kept: dict[str, list[Step]] = {step.namespace: [] for step in wanted if isinstance(step, AddNamespace)}
    for step in wanted:
        kept[step.namespace].append(step)
    doomed = set(_links(wanted, facts, kept))
    yield from _engines(wanted, facts, doomed)
    for name, space in facts.namespaces.items():
        if name in kept:
            staying = {interface: link for interface, link in space.links.items() if (name, interface) not in doomed}
            yield from _routes(kept[name], name, space, staying)
            yield from _addresses(kept[name], name, staying)
            yield from _masters(kept[name], name, staying)
            yield from _netems(kept[name], name, staying)
    for end in sorted(doomed):
        peer = _peer(facts, end)
        if peer not in doomed or end < peer:  # a cable goes with either of its ends
            yield DeleteLink(*end)
    for name in facts.namespaces:
        if name not in kept:
            yield DeleteNamespace(name)


def _links(wanted: Collection[Step], facts: Facts, kept: Collection[str]) -> Iterator[End]:
    """Links that are not wanted, are of another kind or owner, or are an end of a cable that leads elsewhere."""
    kinds = {
        (step.namespace, step.interface): (step.kind, step.owner or "") for step in wanted if isinstance(step, AddLink)
    }
    cables = [step for step in wanted if isinstance(step, AddVeth)]
    whole = {end for cable in cables if is_whole(cable, facts) for end in _ends(cable)}
    for name, space in facts.namespaces.items():
        for interface, link in space.links.items() if name in kept else ():
            here = (name, interface)
            if link.kind != "lo" and here not in whole and kinds.get(here) != (link.kind, link.owner):
                yield here


def is_whole(cable: AddVeth, facts: Facts) -> bool:
    """Whether a cable is there, from the one end to the other."""
    here, there = _ends(cable)
    return _peer(facts, here) == there and _peer(facts, there) == here


def _ends(cable: AddVeth) -> tuple[End, End]:
    return (cable.namespace, cable.interface), (cable.peer_namespace, cable.peer_interface)


def _peer(facts: Facts, end: End) -> End | None:
    """The other end of a cable, None where there is no such cable."""
    link = facts.namespaces.get(end[0], Namespace()).links.get(end[1])
    if link is None or not link.peer:
        return None
    space, _, interface = link.peer.partition(":")
    return space, interface


def _engines(wanted: Collection[Step], facts: Facts, doomed: Collection[End]) -> Iterator[StopEngine]:
    """Engines of devices that go, that are served in another way from now on, or whose namespace is lost."""
    served = {step.subject: step for step in wanted if isinstance(step, StartEngine)}
    for device, command in facts.engines.items():
        namespace, _, interface = device.partition(":")
        space = facts.namespaces.get(namespace)
        stays = space is not None and interface in space.links and (namespace, interface) not in doomed
        if not stays or device not in served or not is_served(served[device], command):
            yield StopEngine(namespace, interface, command)


def _routes(wanted: Collection[Step], name: str, space: Namespace, staying: Collection[str]) -> Iterator[DeleteRoute]:
    routes: dict[str, list[AddRoute]] = {}
    for step in wanted:
        if isinstance(step, AddRoute):
            routes.setdefault(step.to, []).append(step)
    for route in space.routes:
        goes_along = route.dev is not None and route.dev not in staying
        if not goes_along and not any(same_route(step, route) for step in routes.get(route.to, ())):
            yield DeleteRoute(name, route.to, route.via, route.dev, route.metric)


def _addresses(wanted: Collection[Step], name: str, links: dict[str, Link]) -> Iterator[DeleteAddress]:
    addresses = {(step.interface, step.address) for step in wanted if isinstance(step, AddAddress)}
    for interface, link in links.items():
        going: dict[str, str] = {}  # and why
        for address in link.addresses:
            if (interface, address) not in addresses and not _is_the_kernels(address, link):
                going[address] = "is not in the file"
            elif _lacks_its_route(address, link):
                going[address] = f"its route to {ipaddress.ip_interface(address).network} is gone"
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


def _lacks_its_route(address: str, link: Link) -> bool:
    """Whether the route is gone that an address brings along while its interface is up; an IPv4 /32 brings none."""
    if not link.up or link.kind == "lo" or _is_the_kernels(address, link):
        return False
    network = ipaddress.ip_interface(address).network
    return (network.version, network.prefixlen) != (4, 32) and str(network) not in link.networks


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
