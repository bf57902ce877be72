"""What is there and should not be: the other half of the difference between the file and the kernel.

Only what is inside the lab's own namespaces counts, and only what the file can describe. What the kernel makes by
itself stays: link-local addresses, the addresses of `lo`, the routes that come with an address. A sysctl that is no
longer in the file keeps its value, because nobody knows what it was before.

Removals come before everything else, so that names, addresses and ports are free for what follows.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Collection, Iterator
from dataclasses import replace

from labctl.plan.facts import Facts, Link, Namespace, Route
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


def surplus(wanted: Collection[Step], facts: Facts) -> Iterator[Removal]:
    """The steps that take away what no wanted step makes: engines, routes, addresses, links, namespaces."""
    kept: dict[str, list[Step]] = {step.namespace: [] for step in wanted if isinstance(step, AddNamespace)}
    for step in wanted:
        kept[step.namespace].append(step)
    doomed = set(_links(wanted, facts, kept))
    yield from _engines(wanted, facts, doomed)
    for name, space in facts.namespaces.items():
        if name in kept:
            yield from _routes(kept[name], name, space)
            yield from _addresses(kept[name], name, space)
            yield from _masters(kept[name], name, space)
            yield from _netems(kept[name], name, space)
    for name, interface in sorted(doomed):
        yield DeleteLink(name, interface)
    for name in facts.namespaces:
        if name not in kept:
            yield DeleteNamespace(name)


def without(facts: Facts, removals: Collection[Removal]) -> Facts:
    """The facts as they are once the removals are done."""
    spaces = dict(facts.namespaces)
    engines = dict(facts.engines)
    for step in removals:
        space = spaces.get(step.namespace, Namespace())
        match step:
            case DeleteNamespace(namespace=name):
                spaces.pop(name, None)
            case StopEngine():
                engines.pop(step.subject, None)
            case DeleteLink(namespace=name, interface=interface):
                links = {other: link for other, link in space.links.items() if other != interface}
                routes = tuple(route for route in space.routes if route.dev != interface)
                spaces[name] = replace(space, links=links, routes=routes)
            case DeleteAddress(namespace=name, interface=interface, address=address):
                link = space.links[interface]
                left = replace(link, addresses=tuple(a for a in link.addresses if a != address))
                spaces[name] = replace(space, links={**space.links, interface: left})
            case ClearMaster(namespace=name, interface=interface):
                left = replace(space.links[interface], master="")
                spaces[name] = replace(space, links={**space.links, interface: left})
            case ClearNetem(namespace=name, interface=interface):
                left = replace(space.links[interface], netem="")
                spaces[name] = replace(space, links={**space.links, interface: left})
            case DeleteRoute(namespace=name):
                routes = tuple(route for route in space.routes if not same_route(step, route))
                spaces[name] = replace(space, routes=routes)
    return Facts(spaces, engines)


def same_route(step: AddRoute | DeleteRoute, route: Route) -> bool:
    """Whether a route is the one of a step; what the step leaves open may be anything."""
    return (
        (route.to, route.via) == (step.to, step.via)
        and step.dev in (None, route.dev)
        and step.metric in (None, route.metric)
    )


def _links(wanted: Collection[Step], facts: Facts, kept: Collection[str]) -> Iterator[tuple[str, str]]:
    """Links that are not wanted, are of another kind, or are one end of a cable that lacks the other."""
    kinds = {(step.namespace, step.interface): step.kind for step in wanted if isinstance(step, AddLink)}
    cables = [step for step in wanted if isinstance(step, AddVeth)]
    whole = {
        end for cable in cables if all(_has(facts, end, "veth") for end in _ends(cable)) for end in _ends(cable)
    }  # fmt: skip
    for name, space in facts.namespaces.items():
        if name not in kept:
            continue
        for interface, link in space.links.items():
            here = (name, interface)
            if link.kind != "lo" and here not in whole and kinds.get(here) != link.kind:
                yield here


def _ends(cable: AddVeth) -> tuple[tuple[str, str], tuple[str, str]]:
    return (cable.namespace, cable.interface), (cable.peer_namespace, cable.peer_interface)


def _has(facts: Facts, end: tuple[str, str], kind: str) -> bool:
    link = facts.namespaces.get(end[0], Namespace()).links.get(end[1])
    return link is not None and link.kind == kind


def _engines(wanted: Collection[Step], facts: Facts, doomed: Collection[tuple[str, str]]) -> Iterator[StopEngine]:
    """Engines of devices that go, that are served in another way from now on, or whose namespace is lost."""
    commands = {step.subject: step.command for step in wanted if isinstance(step, StartEngine)}
    for device, command in facts.engines.items():
        namespace, _, interface = device.partition(":")
        space = facts.namespaces.get(namespace)
        stays = space is not None and interface in space.links and (namespace, interface) not in doomed
        if not stays or commands.get(device) != command:
            yield StopEngine(namespace, interface, command)


def _routes(wanted: Collection[Step], name: str, space: Namespace) -> Iterator[DeleteRoute]:
    routes: dict[str, list[AddRoute]] = {}
    for step in wanted:
        if isinstance(step, AddRoute):
            routes.setdefault(step.to, []).append(step)
    for route in space.routes:
        if not any(same_route(step, route) for step in routes.get(route.to, ())):
            yield DeleteRoute(name, route.to, route.via, route.dev, route.metric)


def _addresses(wanted: Collection[Step], name: str, space: Namespace) -> Iterator[DeleteAddress]:
    addresses = {(step.interface, step.address) for step in wanted if isinstance(step, AddAddress)}
    for interface, link in space.links.items():
        for address in link.addresses:
            if (interface, address) not in addresses and not _is_the_kernels(address, link):
                yield DeleteAddress(name, interface, address)


def _is_the_kernels(address: str, link: Link) -> bool:
    return (link.kind == "lo" and address in _OWN_OF_LO) or ipaddress.ip_interface(address).ip.is_link_local


def _masters(wanted: Collection[Step], name: str, space: Namespace) -> Iterator[ClearMaster]:
    ports = {(step.interface, step.master) for step in wanted if isinstance(step, SetMaster)}
    for interface, link in space.links.items():
        if link.master and (interface, link.master) not in ports:
            yield ClearMaster(name, interface, link.master)


def _netems(wanted: Collection[Step], name: str, space: Namespace) -> Iterator[ClearNetem]:
    impaired = {step.interface for step in wanted if isinstance(step, SetNetem)}
    for interface, link in space.links.items():
        if link.netem and interface not in impaired:
            yield ClearNetem(name, interface, link.netem)
