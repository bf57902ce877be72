"""The names of a lab, as a hosts file (hosts(5)) for each namespace.

A namespace is called by its name, and each of its interfaces NAMESPACE.INTERFACE; in a lab that was named with
`up --name`, also without that prefix. An interface stands for all of its addresses. A namespace stands for one, by IP
version: the first of the file that is in a network, or behind a route, of the namespace that asks, for a name that
leads nowhere is of no use. Where there is none, as before a routing daemon has learned any route, it is the first of
all. Its own name is its first address, and not 127.0.1.1 as on a Debian host: a server that binds its own name is to be
reached.

Rules of the routing policy, and routes that refuse packets, are not asked: that a name is found says nothing yet about
a way. What every namespace has for itself alone, loopback and link-local addresses, is called by no name. Host names
know no case: of two that differ in case alone, and of a namespace that is called as an interface of another is, the one
that stands first in the file has the name.
"""

from __future__ import annotations

import ipaddress
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping

from labctl.frozen import frozen
from labctl.topology.hosts_file import LOCALHOST
from labctl.topology.model import Namespace, Topology
from labctl.topology.routing import brings_network, connected
from labctl.topology.values import Host, Network

WITHOUT_ADDRESS = "127.0.1.1"
"""What a namespace calls itself that has no address: as Debian does it."""


@frozen
class _Space:
    """A namespace: what it is called, its addresses, and what the interface of each is called."""

    names: tuple[str, ...]
    hosts: tuple[Host, ...]
    called: tuple[tuple[str, ...], ...]

    def block(self, chosen: tuple[int, ...]) -> str:
        """Return its lines, where the addresses with these numbers have its own name."""
        words = ((*(self.names if number in chosen else ()), *names) for number, names in enumerate(self.called))
        return "".join(f"{host}\t{' '.join(names)}\n" for host, names in zip(self.hosts, words, strict=True) if names)

    def first(self) -> tuple[int, ...]:
        """Return the number of the first address of each IP version."""
        found: dict[int, int] = {}
        for number, host in enumerate(self.hosts):
            found.setdefault(host.version, number)
        return tuple(found.values())


class _Reached:
    """The addresses of the namespaces that have several, in their order: those of a network stand together."""

    def __init__(self, spaces: Mapping[str, _Space]) -> None:
        self._hosts: dict[int, list[tuple[int, str, int]]] = {4: [], 6: []}  # by IP version: whose, and its number
        for name, space in spaces.items():
            if len(space.hosts) > 1:
                for number, host in enumerate(space.hosts):
                    self._hosts[host.version].append((int(host), name, number))
        for hosts in self._hosts.values():
            hosts.sort()

    def first_in(self, networks: Iterable[Network]) -> dict[str, tuple[int, ...]]:
        """Return by namespace the number of the first address of each IP version that is in one of these networks."""
        found: dict[str, dict[int, int]] = {}
        for network in set(networks):
            hosts = self._hosts[network.version]
            begin = bisect_left(hosts, (int(network.network_address),))
            end = bisect_left(hosts, (int(network.broadcast_address) + 1,))
            for _, name, number in hosts[begin:end]:
                first = found.setdefault(name, {})
                first[network.version] = min(number, first.get(network.version, number))
        return {name: tuple(sorted(first.values())) for name, first in found.items()}


def hosts_lines(topology: Topology) -> dict[str, str]:
    """Return the lines of each namespace's hosts file about the lab."""
    if topology.part is not None:
        return topology.part.names
    spaces = _spaces(topology)
    reached = _Reached(spaces)
    usual = {name: space.block(space.first() if len(space.hosts) < 2 else (0,)) for name, space in spaces.items()}
    blocks: dict[tuple[str, tuple[int, ...]], str] = {}
    found = {}
    for here, namespace in topology.namespaces.items():
        lines = dict(usual)
        for name, chosen in {**reached.first_in(_networks(namespace)), here: spaces[here].first()}.items():
            if (name, chosen) not in blocks:
                blocks[name, chosen] = spaces[name].block(chosen)
            lines[name] = blocks[name, chosen]
        without = spaces[here].names and not spaces[here].hosts
        own = f"{WITHOUT_ADDRESS}\t{' '.join(spaces[here].names)}\n" if without else ""
        found[here] = "".join(lines.values()) + own
    return found


def address_of(topology: Topology, namespace: str, name: str) -> Host | None:
    """Return the first address that a name of the lab means in a namespace; None where it means none."""
    for line in hosts_lines(topology)[namespace].splitlines() if topology.hosts_file else ():
        address, *names = line.split()
        if name.lower() in map(str.lower, names):
            return ipaddress.ip_address(address)
    return None


def _networks(namespace: Namespace) -> Iterator[Network]:
    """Yield the networks on the links of a namespace, and behind its routes."""
    for own, _ in connected(namespace.interfaces):
        if brings_network(own):
            yield own.network
    for route in namespace.routes:
        if route.type == "unicast":
            yield route.to


def _spaces(topology: Topology) -> dict[str, _Space]:
    prefix = f"{topology.name}-"
    renamed = all(name.startswith(prefix) for name in topology.namespaces)
    taken = {LOCALHOST}

    def free(*names: str) -> tuple[str, ...]:
        left = tuple(name for name in names if name.lower() not in taken)
        taken.update(name.lower() for name in left)
        return left

    def called(name: str) -> tuple[str, ...]:
        return (name, name.removeprefix(prefix)) if renamed else (name,)

    own = {name: free(*called(name)) for name in topology.namespaces}
    spaces = {}
    for name, space in topology.namespaces.items():
        hosts: list[Host] = []
        names: list[tuple[str, ...]] = []
        for interface, each in space.interfaces.items():
            own_hosts = [own.ip for own in each.addresses if not (own.ip.is_loopback or own.ip.is_link_local)]
            hosts += own_hosts
            names += [free(*(f"{one}.{interface}" for one in called(name)))] * len(own_hosts)
        spaces[name] = _Space(own[name], tuple(hosts), tuple(names))
    return spaces
