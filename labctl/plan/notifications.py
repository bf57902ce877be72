"""What the kernel tells of a namespace, as plain data: once of all that is there, and then of each change as it comes.

An interface has its index here, which stays when it is renamed. Routes and rules are those of `plan.routes`; routes
that the kernel makes by itself, with every address, are left out.
"""

from __future__ import annotations

from collections.abc import Mapping

from labctl.frozen import frozen
from labctl.plan.facts import Neighbour
from labctl.plan.routes import Route, Rule


@frozen
class LinkThere:
    """An interface as it is now: new, changed, or reported again.

    `up` is the administrative state, `carrier` whether something is at the other end, `master` an index or 0.
    """

    index: int
    name: str
    kind: str
    up: bool
    carrier: bool
    mtu: int
    mac: str = ""
    master: int = 0
    stand_in: str = ""  # the kind that stands in where the kernel lacks `kind`


@frozen
class LinkGone:
    """An interface was deleted, or moved to another namespace."""

    index: int
    name: str


@frozen
class AddressThere:
    """An address of an interface, as ip(8) writes it; `flags` are those of ip-address(8): tentative, dadfailed."""

    index: int
    address: str
    flags: tuple[str, ...] = ()


@frozen
class AddressGone:
    """An address was removed, or went with its interface."""

    index: int
    address: str


@frozen
class RouteThere:
    """A route was added."""

    route: Route


@frozen
class RouteGone:
    """A route was removed."""

    route: Route


@frozen
class RoutesAre:
    """All routes as they are now: IPv4 loses those of an interface that goes down without a word."""

    routes: tuple[Route, ...]


@frozen
class RuleThere:
    """A rule of the routing policy was added."""

    rule: Rule


@frozen
class RuleGone:
    """A rule was removed."""

    rule: Rule


@frozen
class NeighbourThere:
    """What is known of a neighbour of an interface now; its state may be failed, too."""

    index: int
    neighbour: Neighbour


@frozen
class OtherChange:
    """Something changed of which only that is told: a qdisc, a nexthop object, a setting such as forwarding."""

    what: str


@frozen
class Overrun:
    """The kernel told more than was read in time, and threw some of it away (netlink(7), ENOBUFS)."""


@frozen
class AllThere:
    """All that is in a namespace now; what is not named is not there."""

    links: Mapping[int, LinkThere]
    addresses: tuple[AddressThere, ...]
    routes: tuple[Route, ...]
    rules: tuple[Rule, ...]


Notification = (
    LinkThere
    | LinkGone
    | AddressThere
    | AddressGone
    | RouteThere
    | RouteGone
    | RoutesAre
    | RuleThere
    | RuleGone
    | NeighbourThere
    | OtherChange
    | Overrun
    | AllThere
)
