"""What the lines and the programs of a file make, and no topology has keys for: it is no drift, and stays as it is.

By `exec:` and `programs:` a lab has interfaces that no file describes: tunnels of the kernel, VLANs, bonds, and the TUN
or TAP devices that a program makes for as long as it runs.
Such an interface keeps its addresses and the routes through it; so does one of the file that has no address there,
beside programs: one of them may be a client of DHCP. Qdiscs, IPsec and how a bridge works may be made by lines. A plan
says what it has left alone.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Set
from dataclasses import replace

from labctl.plan import steps
from labctl.plan.facts import Facts, Link, Namespace
from labctl.plan.options import options
from labctl.plan.routes import Route
from labctl.plan.steps import Step

_DESCRIBED = ("lo", "dummy", "veth", "bridge", "tun", "tap")
_BY_LINES = "lines of `exec:` may have made it"
_BY_PROGRAMS = "the file gives it none, and programs may"
_OF_LINES = ("type bridge ", "txqueuelen")
"""How those options of an interface begin that lines may have set."""


def is_described(link: Link) -> bool:
    """Return whether a topology can describe an interface that is there."""
    return link.kind in _DESCRIBED and link.persistent


def without(facts: Facts, wanted: Collection[Step]) -> Facts:
    """Return facts without what is left alone, which counts as not looked at."""
    with_lines = {step.namespace for step in wanted if isinstance(step, steps.RunLine)}
    with_programs = {step.namespace for step in wanted if isinstance(step, steps.StartProgram)}
    if not (with_lines or with_programs):
        return facts
    addressed = {step.ref for step in wanted if isinstance(step, steps.AddAddress)}
    asked = {step.ref for step in wanted if isinstance(step, steps.AddLink)}
    asked |= {end for step in wanted if isinstance(step, steps.AddVeth) for end in (step.ref, step.peer)}
    spaces = dict(facts.namespaces)
    for name in (with_lines | with_programs) & spaces.keys():
        spaces[name] = _without_links(spaces[name], {ref.interface for ref in asked if ref.namespace == name})
    for name in with_programs & spaces.keys():
        bare = {ref.interface for ref in asked - addressed if ref.namespace == name}
        spaces[name] = _without_leases(spaces[name], bare)
    for name in with_lines & spaces.keys():
        spaces[name] = _without_options(name, _without_traffic_control(_without_xfrm(spaces[name])))
    return replace(facts, namespaces=spaces)


def _without_links(space: Namespace, asked: Set[str]) -> Namespace:
    others = {name: link for name, link in space.links.items() if not is_described(link) and name not in asked}
    if not others:
        return space
    links = {name: link for name, link in space.links.items() if name not in others}
    unseen = {f"interface {name}": f"no file describes this {link.kind or 'device'}" for name, link in others.items()}
    return replace(_without_routes(space, others.keys()), links=links, unseen={**space.unseen, **unseen})


def _without_leases(space: Namespace, bare: Set[str]) -> Namespace:
    """Return a namespace without the addresses of interfaces that have none in the file."""
    found = ((name, link) for name, link in space.links.items() if name in bare)
    leased = {name: link for name, link in found if set(link.addresses) - set(link.by_itself)}
    if not leased:
        return space
    links = {**space.links, **{name: replace(link, addresses=link.by_itself) for name, link in leased.items()}}
    unseen = {f"addresses of {name}": _BY_PROGRAMS for name in leased}
    return replace(_without_routes(space, leased.keys()), links=links, unseen={**space.unseen, **unseen})


def _without_routes(space: Namespace, through: Set[str]) -> Namespace:
    return replace(space, routes=tuple(route for route in space.routes if through.isdisjoint(_devices(route))))


def _without_xfrm(space: Namespace) -> Namespace:
    return replace(space, xfrm={}, unseen={**space.unseen, "IPsec": _BY_LINES}) if space.xfrm else space


def _without_traffic_control(space: Namespace) -> Namespace:
    if not any(link.qdiscs for link in space.links.values()):
        return space
    links = {name: replace(link, qdiscs=()) for name, link in space.links.items()}
    return replace(space, links=links, unseen={**space.unseen, "qdiscs": _BY_LINES})


def _without_options(name: str, space: Namespace) -> Namespace:
    """Return a namespace without what lines may have set of its bridges and queues, where that is not as it begins."""
    links = dict(space.links)
    changed = [step for step in options(name, space, ()) if step.option.startswith(_OF_LINES)]
    for step in changed:
        link = links[step.interface]
        others = {option: value for option, value in link.options.items() if option != step.option}
        links[step.interface] = replace(link, options=others)
    unseen = {f"{step.option} of {step.interface}": _BY_LINES for step in changed}
    return replace(space, links=links, unseen={**space.unseen, **unseen})


def _devices(route: Route) -> Iterator[str | None]:
    yield route.dev
    yield from (hop.dev for hop in route.nexthops)
