"""What a notification of the kernel's changes of one namespace, and what happened with that."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import replace
from typing import TypeVar

from labctl.live.events import (
    AddressEvent,
    Event,
    LinkEvent,
    MissedEvent,
    NamespaceEvent,
    NeighbourEvent,
    RouteEvent,
    RuleEvent,
)
from labctl.live.state import Interface, Space
from labctl.plan import notifications as n
from labctl.plan.notifications import AddressThere, LinkThere, Notification
from labctl.plan.routes import Route, Rule

_One = TypeVar("_One")


def told(space: Space, notification: Notification) -> tuple[Space, list[Event]]:
    """Return the namespace after a notification, and what happened."""
    if isinstance(notification, n.Overrun):
        return space, [MissedEvent("overrun", space.name)]
    after = _after(space, notification)
    if not space.seen:
        return after, []
    if not space.there:
        return after, [NamespaceEvent("added", space.name)]
    return after, [*_happened(space, after), *_neighbours(space, after)]


def _after(space: Space, notification: Notification) -> Space:
    match notification:
        case n.AllThere(links, addresses, routes, rules):
            found = {index: _interface(space, link) for index, link in links.items()}
            for index, interface in found.items():
                own = tuple(address for address in addresses if address.index == index)
                found[index] = replace(interface, addresses=own)
            failed = frozenset(one for one in space.failed if one[0] in found)
            return Space(space.name, True, True, found, routes, rules, failed)
        case n.LinkThere(index=index):
            return replace(space, links={**space.links, index: _interface(space, notification)})
        case n.LinkGone(index):
            return replace(space, links={key: kept for key, kept in space.links.items() if key != index})
        case n.AddressThere(index=index, address=text):
            return _readdressed(space, index, text, (notification,))
        case n.AddressGone(index, text):
            return _readdressed(space, index, text, ())
        case n.RoutesAre(routes):
            return replace(space, routes=routes)
        case n.RouteThere(route):
            return space if route in space.routes else replace(space, routes=(*space.routes, route))
        case n.RouteGone(route):
            return replace(space, routes=tuple(kept for kept in space.routes if kept != route))
        case n.RuleThere(rule):
            return space if rule in space.rules else replace(space, rules=(*space.rules, rule))
        case n.RuleGone(rule):
            return replace(space, rules=tuple(kept for kept in space.rules if kept != rule))
        case n.NeighbourThere(index, neighbour):
            one = frozenset({(index, neighbour.to)})
            if neighbour.state == "failed":
                return replace(space, failed=space.failed | one)
            return replace(space, failed=space.failed - one) if neighbour.lladdr else space
    return space


def _interface(space: Space, link: LinkThere) -> Interface:
    """Return an interface with what a notification says of it; what else is known of it stays."""
    known = space.links.get(link.index)
    return replace(known, link=link) if known else Interface(link)


def _readdressed(space: Space, index: int, text: str, now: tuple[AddressThere, ...]) -> Space:
    """Return the namespace with an address added, changed or removed; the order of the others stays."""
    interface = space.links.get(index)
    if interface is None:
        return space
    place = next((at for at, one in enumerate(interface.addresses) if one.address == text), len(interface.addresses))
    addresses = (*interface.addresses[:place], *now, *interface.addresses[place + 1 :])
    return replace(space, links={**space.links, index: replace(interface, addresses=addresses)})


def _happened(before: Space, after: Space) -> Iterator[Event]:
    """Yield how two states of a namespace differ; a part that is the very same object is passed over."""
    if before.links is not after.links:
        for index in dict.fromkeys((*before.links, *after.links)):
            was, is_ = before.links.get(index), after.links.get(index)
            if was is not is_:
                yield from _of_link(before, after, index)
    if before.routes is not after.routes:
        yield from _listed(before.routes, after.routes, lambda change, one: _route(change, after.name, one))
    if before.rules is not after.rules:
        yield from _listed(before.rules, after.rules, lambda change, one: _rule(change, after.name, one))


def _of_link(before: Space, after: Space, index: int) -> Iterator[Event]:
    was, is_ = before.links.get(index), after.links.get(index)
    if is_ is None:
        yield LinkEvent("removed", before.place(index))
        return
    place = after.place(index)
    if was is None:
        yield LinkEvent("added", place)
        if is_.link.up:
            yield LinkEvent("up", place)
    else:
        yield from _of_known_link(was.link, is_.link, before, after)
    yield from _of_addresses(place, was.addresses if was else (), is_.addresses)


def _of_known_link(was: LinkThere, is_: LinkThere, before: Space, after: Space) -> Iterator[Event]:
    place = after.place(is_.index)
    if was.name != is_.name:
        yield LinkEvent("name", place, was.name, is_.name)
    if was.up != is_.up:
        yield LinkEvent("up" if is_.up else "down", place)
    if was.up and is_.up and was.carrier != is_.carrier:  # one that is down has no carrier in any case
        yield LinkEvent("carrier" if is_.carrier else "no-carrier", place)
    if was.mtu != is_.mtu:
        yield LinkEvent("mtu", place, str(was.mtu), str(is_.mtu))
    if was.mac != is_.mac and is_.kind != "bridge":  # that of a bridge follows its ports
        yield LinkEvent("mac", place, was.mac, is_.mac)
    if was.master != is_.master:
        yield LinkEvent("master", place, before.name_of(was.master), after.name_of(is_.master))


def _of_addresses(place: str, before: Collection[AddressThere], now: Collection[AddressThere]) -> Iterator[Event]:
    was, is_ = ({one.address: one for one in told} for told in (before, now))
    yield from (AddressEvent("removed", place, text) for text in was if text not in is_)
    yield from (AddressEvent("added", place, text) for text in is_ if text not in was)
    for text, one in is_.items():
        if "dadfailed" in one.flags and (text not in was or "dadfailed" not in was[text].flags):
            yield AddressEvent("duplicate", place, text)


def _listed(before: Collection[_One], now: Collection[_One], event: Callable[[str, _One], Event]) -> Iterator[Event]:
    was, is_ = set(before), set(now)
    yield from (event("removed", one) for one in before if one not in is_)
    yield from (event("added", one) for one in now if one not in was)


def _route(change: str, place: str, route: Route) -> Event:
    return RouteEvent("added" if change == "added" else "removed", place, route.words)


def _rule(change: str, place: str, rule: Rule) -> Event:
    return RuleEvent("added" if change == "added" else "removed", place, rule.priority, rule.words)


def _neighbours(before: Space, after: Space) -> Iterator[Event]:
    for index, address in sorted(after.failed - before.failed):
        yield NeighbourEvent("failed", after.place(index), address)
    for index, address in sorted(before.failed - after.failed):
        if index in after.links:
            yield NeighbourEvent("answers", after.place(index), address)
