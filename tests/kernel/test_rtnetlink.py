"""What the kernel says at the end of a dump, or between its parts, and not in an answer of its own."""

from __future__ import annotations

import errno
import socket
import struct
from collections.abc import Callable, Iterator
from contextlib import closing

import pytest

from labctl.kernel import addresses, routes
from labctl.kernel import rtnetlink as rt
from labctl.kernel.sock_diag import _NETLINK_SOCK_DIAG, _REQUEST, _SOCK_DIAG_BY_FAMILY
from tests.kernel.space import Space, shell

ABSENT = 12
"""A family that no kernel has any more (linux/socket.h: AF_DECnet): to rtnetlink as IPv6 with ipv6.disable=1."""

MANY = 1000
"""Addresses of an interface, more than fit into a part of a dump."""


def refusal(protocol: int, kind: int, body: bytes) -> int | None:
    """The errno with which the kernel refuses a dump."""
    with closing(rt.Rtnetlink(protocol)) as netlink:
        try:
            netlink.messages(kind, body)
        except rt.Refused as error:
            return error.errno
    return None


def test_rules_of_a_family_that_the_kernel_lacks_are_refused(space: Space) -> None:
    rules_of_it = struct.pack("=12B", ABSENT, *bytes(11))
    assert space.ask(lambda: refusal(socket.NETLINK_ROUTE, rt.RTM_GETRULE, rules_of_it)) == errno.EAFNOSUPPORT


def test_sockets_of_a_protocol_that_sock_diag_cannot_tell_of_are_not_none(space: Space) -> None:
    unknown = _REQUEST.pack(socket.AF_INET, 253, 0, 0xFFFFFFFF)  # RFC 3692: for experiments
    assert space.ask(lambda: refusal(_NETLINK_SOCK_DIAG, _SOCK_DIAG_BY_FAMILY, unknown)) == errno.ENOENT


def test_routes_are_told_once_where_the_kernel_lacks_a_family(space: Space, monkeypatch: pytest.MonkeyPatch) -> None:
    space.sh("ip route add blackhole 192.0.2.0/24")
    monkeypatch.setattr(routes, "FAMILIES", (socket.AF_INET, ABSENT))

    def by_hand() -> list[str]:
        with closing(rt.Rtnetlink()) as netlink:
            return [seen.route.to for seen in routes.routes(netlink, {}) if seen.is_by_hand]

    assert space.ask(by_hand) == ["192.0.2.0/24"]


class Interrupted(rt.Rtnetlink):
    """A socket between whose readings something happens, as often as there is something."""

    def __init__(self, happening: Iterator[Callable[[], object]]) -> None:
        super().__init__()
        self._socket = _Reading(self._socket, happening)  # type: ignore[assignment]


class _Reading:
    def __init__(self, real: socket.socket, happening: Iterator[Callable[[], object]]) -> None:
        self._real, self._happening = real, happening
        self.send, self.close = real.send, real.close

    def recv(self, size: int) -> bytes:
        data = self._real.recv(size)
        for happen in self._happening:
            happen()
            break
        return data


def test_a_dump_that_a_change_breaks_into_is_asked_for_anew(space: Space) -> None:
    added = "".join(f"address add 10.0.{i // 250}.{i % 250 + 1}/32 dev lo\n" for i in range(MANY))
    space.sh(f"ip -batch - <<'EOF'\n{added}EOF")

    def look() -> list[str]:
        first_goes = iter([lambda: shell("ip address del 10.0.0.1/32 dev lo")])
        with closing(Interrupted(first_goes)) as netlink:
            return [each.host for each in addresses.addresses(netlink)[1] if each.host.startswith("10.")]

    found = space.ask(look)
    assert "10.0.0.1" not in found and len(found) == MANY - 1 == len(set(found))


def test_what_never_rests_is_told_as_it_came_last(space: Space) -> None:
    added = "".join(f"address add 10.0.{i // 250}.{i % 250 + 1}/32 dev lo\n" for i in range(MANY))
    space.sh(f"ip -batch - <<'EOF'\n{added}EOF")

    def look() -> int:
        def restless() -> Iterator[Callable[[], object]]:
            while True:
                yield lambda: shell("ip address add 192.0.2.1/32 dev lo")
                yield lambda: shell("ip address del 192.0.2.1/32 dev lo")

        with closing(Interrupted(restless())) as netlink:
            return len(addresses.addresses(netlink)[1])

    assert space.ask(look) >= MANY
