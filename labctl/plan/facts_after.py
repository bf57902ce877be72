"""The facts as they are after removals, with all that the kernel removes along.

With an interface go its routes, of every table, and, where it is an end of a cable, the other end. With the last IPv4
address of an interface go all of its IPv4 routes (fib_disable_ip() in net/ipv4/fib_frontend.c). What is forgotten here
would be missing after an `up` and only come with the next one. Where kernels differ in what goes along, `removals`
removes it first.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import PurePosixPath
from typing import TypeVar

from labctl.plan import steps
from labctl.plan.facts import Facts, Link, Namespace
from labctl.plan.steps import Step

T = TypeVar("T")


def without(facts: Facts, removals: Iterable[Step]) -> Facts:
    """Return the facts after the removals."""
    spaces = dict(facts.namespaces)
    engines, programs, cables = dict(facts.engines), dict(facts.programs), dict(facts.cables)
    for step in removals:
        name = step.namespace
        match step:
            case steps.DeleteNamespace():
                spaces.pop(name, None)
            case steps.StopEngine():
                engines.pop(step.ref, None)
            case steps.StopCable():
                cables.pop(step.ref, None)
            case steps.StopProgram(spec=spec):
                programs.pop(spec.ref, None)
            case steps.DeleteLink(interface=interface):
                # Of a lab that changes while it is looked at, perhaps only one end tells of the other: it is gone then.
                link = spaces[name].links.get(interface)
                for end in (step.ref, link.peer if link else None):
                    if end and end.namespace in spaces:
                        spaces[end.namespace] = _without_link(spaces[end.namespace], end.interface)
            case steps.DeleteAddress():
                spaces[name] = _without_address(spaces[name], step)
            case steps.ClearMaster(interface=interface):
                spaces[name] = _changed(spaces[name], replace(spaces[name].links[interface], master=""))
            case steps.ClearNetem(interface=interface):
                spaces[name] = _changed(spaces[name], replace(spaces[name].links[interface], netem=None))
            case steps.DeleteTable(family=family, name=table):
                left = {part: entries for part, entries in spaces[name].listing.items() if part[:2] != (family, table)}
                spaces[name] = replace(spaces[name], listing=left)
            case steps.DeleteRoute(route=route):
                spaces[name] = replace(spaces[name], routes=_without_one(spaces[name].routes, route))
            case steps.RemoveFile(path=path):
                files = {p: f for p, f in spaces[name].files.items() if not PurePosixPath(p).is_relative_to(path)}
                spaces[name] = replace(spaces[name], files=files)
            case steps.DeleteRule(rule=rule):
                by_version = {way: _without_one(rules, rule) for way, rules in spaces[name].rules.items()}
                spaces[name] = replace(spaces[name], rules=by_version)
    return replace(facts, namespaces=spaces, engines=engines, programs=programs, cables=cables)


def _without_one(found: tuple[T, ...], gone: T) -> tuple[T, ...]:
    place = found.index(gone) if gone in found else len(found)
    return found[:place] + found[place + 1 :]


def _changed(space: Namespace, link: Link) -> Namespace:
    return replace(space, links={**space.links, link.name: link})


def _without_link(space: Namespace, interface: str) -> Namespace:
    return replace(
        space,
        links={
            name: replace(link, master="") if link.master == interface else link
            for name, link in space.links.items()
            if name != interface
        },
        routes=tuple(route for route in space.routes if route.dev != interface),
        sysctls={path: value for path, value in space.sysctls.items() if interface not in path.split("/")[3:4]},
    )


def _without_address(space: Namespace, step: steps.DeleteAddress) -> Namespace:
    link = space.links[step.interface]
    left = tuple(address for address in link.addresses if address != step.address)
    changed = _changed(space, replace(link, addresses=left))
    if ":" in step.address or any(":" not in address for address in left):
        return changed
    routes = tuple(route for route in space.routes if ":" in route.to or route.dev != step.interface)
    return replace(changed, routes=routes)
