"""What the kernel tells of a namespace by itself, and what was missed."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import TypeVar

from labctl.kernel.monitor import Monitor
from labctl.plan import notifications as n
from labctl.plan.facts import Neighbour
from labctl.plan.routes import Route, Rule
from labctl.process.syscalls import CLONE_NEWNS, MS_BIND, MS_REC, MS_SLAVE, mount, unshare
from tests.engine.world import wait_for
from tests.kernel.space import Space

NAME = "here"


T = TypeVar("T")


def monitored(space: Space, look: Callable[[Monitor], T], buffer: int = 1 << 20) -> T:
    """Return what a look shows at a monitor of the namespace, under a name that only the looking process sees."""

    def named() -> T:
        unshare(CLONE_NEWNS)
        mount("", "/", flags=MS_REC | MS_SLAVE)
        mount("tmpfs", "/run", "tmpfs")
        path = Path("/run/netns", NAME)
        path.parent.mkdir()
        path.touch()
        mount("/proc/self/ns/net", str(path), flags=MS_BIND)
        with closing(Monitor(NAME, buffer)) as monitor:
            return look(monitor)

    return space.ask(named)


def ip(*commands: str) -> None:
    for command in commands:
        subprocess.run(["ip", *command.split()], check=True)


def seen(monitor: Monitor) -> list[n.Notification]:
    """What was told since, without what is told again and again, and without what IPv6 does by itself."""
    return [one for one in monitor.read() if not isinstance(one, n.RoutesAre | n.OtherChange)]


def until(monitor: Monitor, command: str, kind: type[n.Notification]) -> list[n.Notification]:
    """What was told of a command, up to a notification of a kind: some come from the kernel's work queues."""
    told: list[n.Notification] = []

    def is_told() -> bool:
        told.extend(seen(monitor))
        return any(isinstance(one, kind) and getattr(one, "carrier", True) for one in told)

    ip(command)
    wait_for(is_told, command)
    return told


def test_changes_are_told_in_their_order(space: Space) -> None:
    def look(monitor: Monitor) -> list[list[n.Notification]]:
        ip("link add v0 type veth peer name v1", "link set v0 addrgenmode none", "link set v1 addrgenmode none")
        ip("link set v1 up")
        monitor.look()
        monitor.read()
        return [
            until(monitor, command, kind)
            for command, kind in (
                ("link set v0 up", n.LinkThere),
                ("address add 192.0.2.1/24 dev v0", n.AddressThere),
                ("address add fd00::1/64 dev v0 nodad", n.AddressThere),
                ("route add 198.51.100.0/24 via 192.0.2.9", n.RouteThere),
                ("rule add priority 100 to 198.51.100.0/24 table 100", n.RuleThere),
                ("neighbour add 192.0.2.9 lladdr 02:00:00:00:00:09 dev v0", n.NeighbourThere),
                ("link set v0 mtu 1400", n.LinkThere),
                ("route del 198.51.100.0/24", n.RouteGone),
                ("address del 192.0.2.1/24 dev v0", n.AddressGone),
                ("link del v0", n.LinkGone),
            )
        ]

    def but_links(told: list[n.Notification]) -> list[n.Notification]:
        """A carrier is noticed whenever link_watch.c runs."""
        return [one for one in told if not isinstance(one, n.LinkThere)]

    up, address, address6, route, rule, neighbour, mtu, unrouted, unaddressed, gone = monitored(space, look)
    (v0,) = {one for one in up if isinstance(one, n.LinkThere) and one.name == "v0" and one.carrier}
    assert (v0.kind, v0.up, v0.mtu) == ("veth", True, 1500)
    assert but_links(address) == [n.AddressThere(v0.index, "192.0.2.1/24")]
    assert but_links(address6) == [n.AddressThere(v0.index, "fd00::1/64")]
    wanted = Route("198.51.100.0/24", via="192.0.2.9", dev="v0")
    assert but_links(route) == [n.RouteThere(wanted)]
    assert but_links(rule) == [n.RuleThere(Rule("inet", 100, to="198.51.100.0/24", table="100"))]
    assert but_links(neighbour) == [
        n.NeighbourThere(v0.index, Neighbour("192.0.2.9", "02:00:00:00:00:09", "permanent"))
    ]
    assert [one.mtu for one in mtu if isinstance(one, n.LinkThere)] == [1400]
    assert but_links(unrouted) == [n.RouteGone(wanted)]
    assert but_links(unaddressed) == [n.AddressGone(v0.index, "192.0.2.1/24")]
    assert n.LinkGone(v0.index, "v0") in gone


def test_a_route_that_went_with_its_interface_is_missed_by_none(space: Space) -> None:
    """IPv4 says nothing of it, and `ip route replace` nothing of the one that was replaced."""

    def look(monitor: Monitor) -> list[tuple[Route, ...]]:
        ip(
            "link add v0 type veth peer name v1",
            "link set v0 up",
            "address add 192.0.2.1/24 dev v0",
            "route add 198.51.100.0/24 via 192.0.2.9",
        )
        monitor.look()
        monitor.read()
        ip("route replace 198.51.100.0/24 via 192.0.2.8")
        told = monitor.read()
        ip("link set v0 down")
        told += monitor.read()
        return [one.routes for one in told if isinstance(one, n.RoutesAre)]

    replaced, *_, lost = monitored(space, look)
    assert replaced == (Route("198.51.100.0/24", via="192.0.2.8", dev="v0"),)
    assert lost == ()


def test_a_port_that_leaves_its_bridge_is_not_gone(space: Space) -> None:
    def look(monitor: Monitor) -> list[n.Notification]:
        ip("link add v0 type veth peer name v1", "link add br0 type bridge", "link set v0 master br0")
        monitor.look()
        monitor.read()
        ip("link set v0 nomaster")
        return seen(monitor)

    told = monitored(space, look)
    assert not any(isinstance(one, n.LinkGone) for one in told)
    assert [one.master for one in told if isinstance(one, n.LinkThere) and one.name == "v0"][-1] == 0


def test_what_was_lost_is_said_and_all_is_looked_at_again(space: Space) -> None:
    def look(monitor: Monitor) -> list[n.Notification]:
        monitor.look()
        for mtu in range(1500, 1600):
            ip(f"link set lo mtu {mtu}")
        told = monitor.read()
        ip("link set lo mtu 1400")
        return [*told, *seen(monitor)]

    overrun, everything, after = monitored(space, look, buffer=1)
    assert overrun == n.Overrun()
    assert isinstance(everything, n.AllThere) and everything.links[1].mtu == 1599
    assert isinstance(after, n.LinkThere) and after.mtu == 1400


def test_the_counters_are_those_of_ip(space: Space) -> None:
    def look(monitor: Monitor) -> tuple[object, object]:
        before = monitor.counters()[1]
        subprocess.run(["ping", "-c", "3", "-i", "0.01", "127.0.0.1"], check=True, stdout=subprocess.DEVNULL)
        after = monitor.counters()[1]
        return (
            (after.rx_packets - before.rx_packets, after.tx_packets - before.tx_packets),
            (after.rx_bytes - before.rx_bytes, after.tx_bytes - before.tx_bytes),
        )

    frame = 20 + 8 + 56  # lo counts no Ethernet header
    assert monitored(space, look) == ((6, 6), (6 * frame, 6 * frame))


def test_it_begins_with_all_that_is_there(space: Space) -> None:
    found = monitored(space, lambda monitor: monitor.look())
    assert isinstance(found, n.AllThere)
    assert [(link.name, link.kind) for link in found.links.values()] == [("lo", "lo")]
    assert [one.address for one in found.addresses] == ["127.0.0.1/8", "::1/128"]
    assert found.routes == () and {rule.priority for rule in found.rules} == {0, 32766, 32767}
