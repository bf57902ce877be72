"""Routes and rules as the kernel has them, in the words of ip-route(8) and ip-rule(8).

What a file can say has a field of its own. All else that the kernel tells of one is kept in `more` as words, so that
nothing of it is overlooked: a route with a word more is another route.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from labctl.frozen import frozen
from labctl.topology import iproute


@frozen
class NextHop:
    """One of several next hops of a route; a packet takes it with a probability by its weight."""

    via: str | None = None
    dev: str | None = None
    weight: int = 1
    onlink: bool = False
    more: tuple[str, ...] = ()

    def words(self, destination: str) -> Iterator[str]:
        yield "nexthop"
        yield from _via(self.via, destination)
        yield from ("dev", self.dev) if self.dev else ()
        yield from ("weight", str(self.weight))
        yield from ("onlink",) if self.onlink else ()
        yield from self.more


_SHOWN = {"0.0.0.0/0": "default", "::/0": "default"}
"""Destinations that are shown otherwise than they are typed, where the word alone leaves the IP version open."""


@frozen
class Route:
    """A route; where a wanted one leaves an interface open, the kernel finds it by the next hop."""

    to: str
    via: str | None = None
    dev: str | None = None
    metric: int = 0
    type: str = "unicast"
    table: str = "main"
    src: str | None = None
    onlink: bool = False
    metrics: tuple[tuple[str, str], ...] = ()  # of the path, such as mtu, in the order of linux/rtnetlink.h: RTAX_*
    nexthops: tuple[NextHop, ...] = ()  # two and more; then neither via nor dev
    more: tuple[str, ...] = ()

    @property
    def version(self) -> int:
        return 6 if ":" in self.to else 4

    @property
    def words(self) -> str:
        """The route as ip-route(8) shows it."""
        return " ".join((*self._head(_SHOWN.get(self.to, self.to)), *self.hops))

    @property
    def head(self) -> tuple[str, ...]:
        """All words of a command but those of several next hops, which ip(8) takes last."""
        return tuple(self._head(self.to))

    def _head(self, to: str) -> Iterator[str]:
        yield from () if self.type == "unicast" else (self.type,)
        yield to
        yield from _via(self.via, self.to)
        yield from ("dev", self.dev) if self.dev else ()
        yield from ("table", self.table) if self.table != "main" else ()
        yield from ("src", self.src) if self.src else ()
        yield from ("metric", str(self.metric)) if self.metric != iproute.DEFAULT_METRIC[self.version] else ()
        yield from ("onlink",) if self.onlink else ()
        for name, value in self.metrics:
            yield from (name, *value.split())
        yield from self.more

    @property
    def hops(self) -> tuple[str, ...]:
        return tuple(word for hop in self.nexthops for word in hop.words(self.to))


def _via(via: str | None, destination: str) -> Iterator[str]:
    if via is not None:
        yield "via"
        if (":" in via) != (":" in destination):
            yield "inet6" if ":" in via else "inet"
        yield via


def is_same_route(wanted: Route, found: Route) -> bool:
    """Return whether a route is the wanted one, which may leave interfaces open."""
    if wanted.to != found.to:  # asked first: in a lab of hundreds of routes it is nearly always so
        return False
    if wanted.nexthops and len(wanted.nexthops) == len(found.nexthops):
        same = all(any(_is_same_hop(one, other) for other in found.nexthops) for one in wanted.nexthops)
        return same and replace(found, nexthops=wanted.nexthops) == wanted
    return (replace(found, dev=None) if wanted.dev is None else found) == wanted


def _is_same_hop(wanted: NextHop, found: NextHop) -> bool:
    return (replace(found, dev=None) if wanted.dev is None else found) == wanted


@frozen
class Rule:
    """A rule of the routing policy: which packets are looked up in which table, or refused; a lower priority is first.

    `action` is lookup (of `table`), blackhole, unreachable, prohibit, or what else ip-rule(8) knows.
    """

    family: str
    priority: int
    inverted: bool = False
    source: str = "all"
    to: str = "all"
    fwmark: str | None = None  # in hex, with its mask where it has one
    iif: str | None = None
    oif: str | None = None
    ipproto: str | None = None
    sport: str | None = None
    dport: str | None = None
    action: str = "lookup"
    table: str | None = "main"
    suppress_prefixlength: int | None = None
    more: tuple[str, ...] = ()

    @property
    def version(self) -> int:
        return 6 if self.family == "inet6" else 4

    @property
    def words(self) -> str:
        return " ".join(self.parts)

    @property
    def parts(self) -> tuple[str, ...]:
        """As `ip rule` shows it, without its priority."""
        return tuple(self._parts())

    def _parts(self) -> Iterator[str]:
        yield from ("not",) if self.inverted else ()
        yield from ("from", self.source)
        yield from ("to", self.to) if self.to != "all" else ()
        for name in ("fwmark", "iif", "oif", "ipproto", "sport", "dport"):
            value = getattr(self, name)
            yield from (name, value) if value is not None else ()
        yield from self.more
        yield from self.action.split()
        yield from (self.table,) if self.table is not None else ()
        if self.suppress_prefixlength is not None:
            yield from ("suppress_prefixlength", str(self.suppress_prefixlength))


DEFAULT_RULES = {
    version: tuple(
        Rule(family="inet6" if version == 6 else "inet", priority=priority, table=table) for priority, table in rules
    )
    for version, rules in iproute.DEFAULT_RULES.items()
}
"""The rules with which a namespace is born, by IP version."""
