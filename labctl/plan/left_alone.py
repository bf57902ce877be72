"""What the lines and the programs of a file make, and no topology has keys for: it is no drift, and stays as it is.

By `exec:` and `programs:` a lab has interfaces that no file describes: tunnels of the kernel, VLANs, bonds, and the TUN
or TAP devices that a program makes for as long as it runs.
Such an interface keeps its addresses and the routes through it. Qdiscs and IPsec may be made by lines. A plan says what
it has left alone.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Set
from dataclasses import replace

from labctl.plan import steps
from labctl.plan.facts import Facts, Link, Namespace
from labctl.plan.routes import Route
from labctl.plan.steps import Step

_DESCRIBED = ("lo", "dummy", "veth", "bridge", "tun", "tap")
_BY_LINES = "lines of `exec:` may have made it"


def is_described(link: Link) -> bool:
    """Return whether a topology can describe an interface that is there."""
    return link.kind in _DESCRIBED and link.persistent


def without(facts: Facts, wanted: Collection[Step]) -> Facts:
    """Return facts without what is left alone, which counts as not looked at."""
    with_lines = {step.namespace for step in wanted if isinstance(step, steps.RunLine)}
    making = with_lines | {step.namespace for step in wanted if isinstance(step, steps.StartProgram)}
    asked = {step.ref for step in wanted if isinstance(step, steps.AddLink)}
    asked |= {end for step in wanted if isinstance(step, steps.AddVeth) for end in (step.ref, step.peer)}
    spaces = dict(facts.namespaces)
    for name in making & spaces.keys():
        spaces[name] = _without_links(spaces[name], {ref.interface for ref in asked if ref.namespace == name})
    for name in with_lines & spaces.keys():
        spaces[name] = _without_traffic_control(_without_xfrm(spaces[name]))
    return replace(facts, namespaces=spaces)


def _without_links(space: Namespace, asked: Set[str]) -> Namespace:
    others = {name: link for name, link in space.links.items() if not is_described(link) and name not in asked}
    if not others:
        return space
    links = {name: link for name, link in space.links.items() if name not in others}
    routes = tuple(route for route in space.routes if others.keys().isdisjoint(_devices(route)))
    unseen = {f"interface {name}": f"no file describes this {link.kind or 'device'}" for name, link in others.items()}
    return replace(space, links=links, routes=routes, unseen={**space.unseen, **unseen})


def _without_xfrm(space: Namespace) -> Namespace:
    return replace(space, xfrm={}, unseen={**space.unseen, "IPsec": _BY_LINES}) if space.xfrm else space


def _without_traffic_control(space: Namespace) -> Namespace:
    if not any(link.qdiscs for link in space.links.values()):
        return space
    links = {name: replace(link, qdiscs=()) for name, link in space.links.items()}
    return replace(space, links=links, unseen={**space.unseen, "qdiscs": _BY_LINES})


def _devices(route: Route) -> Iterator[str | None]:
    yield route.dev
    yield from (hop.dev for hop in route.nexthops)
