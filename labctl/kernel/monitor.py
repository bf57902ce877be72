"""Following a namespace: what is there, and then what the kernel tells of by itself (rtnetlink(7), multicast groups).

Two sockets of the namespace: one that only listens, and one that asks. The first listens before the second asks what
is there, so no change falls between; a change that both report is the same.

The kernel keeps what is not read yet, up to the size of the socket's buffer. What comes then is lost, and the next read
says so (ENOBUFS). What is still in the buffer is then older than what would be found by asking: it is thrown away, and
all is asked for again. Of a route that vanishes because its interface went down, IPv4 tells nothing
(net/ipv4/fib_trie.c: fib_table_flush); so the routes are asked for again whenever an interface or an address changed.
"""

from __future__ import annotations

import errno
import socket
import struct
from collections.abc import Iterator

from labctl.kernel import addresses, links, namespaces, neighbours, routes, rules
from labctl.kernel import rtnetlink as rt
from labctl.kernel.addresses import Address
from labctl.plan import notifications as told
from labctl.plan.facts import LinkCounters
from labctl.plan.notifications import Notification
from labctl.plan.routes import Route

_SOL_NETLINK, _NETLINK_ADD_MEMBERSHIP = 270, 1
_SO_RCVBUFFORCE = 33  # asm-generic/socket.h
_HEADER = struct.Struct("=IHHII")  # nlmsghdr
_LARGEST = 1 << 16

BUFFER = 1 << 20
"""Bytes that the kernel may keep for one namespace: a thousand changes."""

_GROUPS = {  # linux/rtnetlink.h: RTNLGRP_*
    "link": 1,
    "neighbour": 3,
    "qdisc": 4,
    "IPv4 address": 5,
    "IPv4 route": 7,
    "IPv4 rule": 8,
    "IPv6 address": 9,
    "IPv6 route": 11,
    "IPv6 rule": 19,
    "IPv4 setting": 24,
    "IPv6 setting": 25,
    "nexthop": 32,
}
_WITHOUT_CONTENT = {36: "qdisc", 37: "qdisc", 80: "setting", 81: "setting", 104: "nexthop", 105: "nexthop"}
_REPLACED = told.OtherChange("route")
"""A route took the place of another one, or a part of one came or went: of the rest nothing is told."""

_TAKES_ROUTES_ALONG = (told.LinkThere, told.LinkGone, told.AddressGone)

_NEWS = frozenset({"tentative", "dadfailed", "deprecated"})
"""Flags of an address that change while it is there."""


class Monitor:
    """A namespace that is followed, until `close`."""

    def __init__(self, namespace: str, buffer: int = BUFFER) -> None:
        """Raise UsageError where there is no such namespace."""
        with namespaces.inside(namespace):
            self._listener = socket.socket(
                socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK, socket.NETLINK_ROUTE
            )
            try:
                self._asking = rt.Rtnetlink()
            except BaseException:
                self._listener.close()
                raise
        self._names: dict[int, str] = {}
        self._set_buffer(buffer)
        self._listener.bind((0, 0))
        for group in _GROUPS.values():
            try:
                self._listener.setsockopt(_SOL_NETLINK, _NETLINK_ADD_MEMBERSHIP, group)
            except OSError as error:
                if error.errno != errno.EINVAL:  # an older kernel has fewer groups
                    raise

    def _set_buffer(self, size: int) -> None:
        try:
            self._listener.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, size)
        except PermissionError:  # in a user namespace: net.core.rmem_max is the most
            self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, size)

    def fileno(self) -> int:
        """Return the descriptor that is readable once there is something to read."""
        return self._listener.fileno()

    def close(self) -> None:
        """Follow it no more: an open socket keeps a namespace alive that has no name any more."""
        self._listener.close()
        self._asking.close()

    def look(self) -> told.AllThere:
        """Return all that is there now."""
        found = links.links(self._asking)
        self._names = {index: link.name for index, link in found.items()}
        by_version = rules.rules(self._asking)
        return told.AllThere(
            found,
            tuple(
                _there(index, address)
                for index, several in addresses.addresses(self._asking).items()
                for address in several
            ),
            self._routes(),
            tuple(rule for version in by_version.values() for rule in version),
        )

    def counters(self) -> dict[int, LinkCounters]:
        """Return the counters of the interfaces as they are now, by index."""
        return dict(links.counters(self._asking))

    def read(self) -> list[Notification]:
        """Return what the kernel told since the last read, in its order; without waiting.

        Where some of it was lost, that is an Overrun, and all that is there follows in place of the rest.
        """
        try:
            changes = list(self._changes())
        except OSError as error:
            if error.errno != errno.ENOBUFS:
                raise
            self._throw_away()
            return [told.Overrun(), self.look()]
        if any(isinstance(change, _TAKES_ROUTES_ALONG) or change == _REPLACED for change in changes):
            changes.append(told.RoutesAre(self._routes()))
        return changes

    def _throw_away(self) -> None:
        while True:
            try:
                if not self._received():
                    return
            except OSError as error:
                if error.errno != errno.ENOBUFS:
                    raise

    def _received(self) -> bytes:
        """Return the next messages, none where nothing waits."""
        try:
            return self._listener.recv(_LARGEST)
        except BlockingIOError:
            return b""

    def _changes(self) -> Iterator[Notification]:
        while data := self._received():
            offset = 0
            while offset + _HEADER.size <= len(data):
                length, kind, flags, _, _ = _HEADER.unpack_from(data, offset)
                yield from self._decoded(kind, flags, data[offset + _HEADER.size : offset + length])
                offset += (length + 3) & ~3

    def _decoded(self, kind: int, flags: int, message: bytes) -> Iterator[Notification]:
        match kind:
            case rt.RTM_NEWLINK:
                if link := links.link(message):
                    self._names[link.index] = link.name
                    yield link
            case rt.RTM_DELLINK:
                if link := links.link(message):
                    self._names.pop(link.index, None)
                    yield told.LinkGone(link.index, link.name)
            case rt.RTM_NEWADDR:
                yield _there(*addresses.told(message))
            case rt.RTM_DELADDR:
                index, address = addresses.told(message)
                yield told.AddressGone(index, str(address))
            case rt.RTM_NEWROUTE | rt.RTM_DELROUTE:
                seen = routes.seen(message, self._names)
                if seen and seen.is_by_hand:
                    if flags & rt.NLM_F_REPLACE or (seen.route.version == 6 and seen.route.nexthops):
                        yield _REPLACED
                    else:
                        yield (told.RouteThere if kind == rt.RTM_NEWROUTE else told.RouteGone)(seen.route)
            case rt.RTM_NEWRULE | rt.RTM_DELRULE:
                if rule := rules.told(message):
                    yield (told.RuleThere if kind == rt.RTM_NEWRULE else told.RuleGone)(rule)
            case neighbours.RTM_NEWNEIGH:
                if neighbour := neighbours.told(message):
                    yield told.NeighbourThere(*neighbour)
            case _ if kind in _WITHOUT_CONTENT:
                yield told.OtherChange(_WITHOUT_CONTENT[kind])

    def _routes(self) -> tuple[Route, ...]:
        found = routes.routes(self._asking, self._names)
        return tuple(seen.route for seen in found if seen.is_by_hand)


def _there(index: int, address: Address) -> told.AddressThere:
    return told.AddressThere(index, str(address), tuple(sorted(address.flags & _NEWS)))
