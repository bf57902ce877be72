"""Routes and rules that are there and should not be, and routes that would not stay what they are.

What was made by hand is removed, of whatever type and table, and so is never in the way of what the file wants. A
wanted route is removed, too, where something goes that it is made with and kernels differ in what becomes of it then:
it is made again with all else that is missing.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import NamedTuple

from labctl.plan import steps
from labctl.plan.change import UNWANTED, Change
from labctl.plan.facts import Link, Namespace
from labctl.plan.routes import DEFAULT_RULES, Route, is_same_route
from labctl.plan.steps import Step


def rule_removals(wanted: Collection[Step], name: str, space: Namespace) -> Iterator[Change]:
    """Yield the steps that remove the rules of a namespace that are neither wanted nor the kernel's own."""
    asked = {step.rule for step in wanted if isinstance(step, steps.AddRule)}
    for version, rules in space.rules.items():
        for rule in rules:
            if rule not in asked and rule not in DEFAULT_RULES[version]:
                yield Change(steps.DeleteRule(name, rule), UNWANTED)


class Loss(NamedTuple):
    """What a namespace loses that its routes are made with: links, addresses, links that have no IPv4 address then."""

    links: Collection[str]
    addresses: Collection[str]
    without_ipv4: Collection[str]

    @classmethod
    def of(cls, space: Namespace, staying: Mapping[str, Link], going: Collection[steps.DeleteAddress]) -> Loss:
        gone = {(step.interface, step.address) for step in going}
        links = space.links.keys() - staying.keys()
        lost = {address for _, address in gone} | {each for link in links for each in space.links[link].addresses}
        losing = {step.interface for step in going if ":" not in step.address}
        left = {
            name for name in losing for own in staying[name].addresses if ":" not in own and (name, own) not in gone
        }
        return cls(links, {address.partition("/")[0] for address in lost}, losing - left)

    def unsettles(self, route: Route) -> str:
        """Return why a wanted route does not stay what it is; empty where it does.

        The kernel forgets the source address of an IPv6 route (rt6_remove_prefsrc()) and deletes an IPv4 one
        (fib_sync_down_addr()), by version in the main table alone or in all. Of several next hops it takes one away, or
        all, or marks it as dead (fib6_ifdown(), fib_sync_down_dev()).
        """
        if route.src in self.addresses:
            return f"its source address {route.src} goes"
        lost = self.links if route.version == 6 else {*self.links, *self.without_ipv4}
        hop = next((hop for hop in route.nexthops if hop.dev in lost), None)
        return f"its next hop through {hop.dev} goes" if hop else ""


def route_removals(wanted: Collection[Step], name: str, space: Namespace, loss: Loss) -> Iterator[Change]:
    """Yield the steps that remove the routes of a namespace that are not wanted, or do not survive a loss."""
    asked: dict[str, list[Route]] = {}
    for step in wanted:
        if isinstance(step, steps.AddRoute):
            asked.setdefault(step.route.to, []).append(step.route)
    for route in space.routes:
        if route.dev in loss.links:
            continue  # it goes along
        same = next((one for one in asked.get(route.to, ()) if is_same_route(one, route)), None)
        if same is None:
            yield Change(steps.DeleteRoute(name, route), UNWANTED)
        else:
            asked[route.to].remove(same)  # what is there twice is once too often
            if why := loss.unsettles(route):
                yield Change(steps.DeleteRoute(name, route), why)
