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

from labctl.frozen import frozen
from labctl.topology.hosts_file import LOCALHOST
from labctl.topology.model import Namespace, Topology
from labctl.topology.prefixes import Prefixes
from labctl.topology.routing import brings_network, connected
from labctl.topology.values import Host

WITHOUT_ADDRESS = "127.0.1.1"
"""What a namespace calls itself that has no address: as Debian does it."""


@frozen
class _Space:
    """A namespace: what it is called, its addresses, and what the interface of each is called."""

    names: tuple[str, ...]
    hosts: tuple[Host, ...]
    called: tuple[tuple[str, ...], ...]
    versions: int  # how many IP versions its addresses are of

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

    def first_in(self, networks: Prefixes[None]) -> tuple[int, ...]:
        """Return the number of the first address of each IP version that is in one of these networks."""
        if len(self.hosts) < 2:
            return self.first()
        found: dict[int, int] = {}
        for number, host in enumerate(self.hosts):
            if host.version not in found and host in networks:
                found[host.version] = number
                if len(found) == self.versions:
                    break
        return tuple(found.values()) or (0,)


def hosts_lines(topology: Topology) -> dict[str, str]:
    """Return the lines of each namespace's hosts file about the lab."""
    if topology.part is not None:
        return topology.part.names
    spaces = _spaces(topology)
    blocks: dict[tuple[str, tuple[int, ...]], str] = {}
    found = {}
    for here, namespace in topology.namespaces.items():
        networks, lines = _networks(namespace), []
        for name, space in spaces.items():
            chosen = space.first() if name == here else space.first_in(networks)
            if (name, chosen) not in blocks:
                blocks[name, chosen] = space.block(chosen)
            lines.append(blocks[name, chosen])
        if not spaces[here].hosts and spaces[here].names:
            lines.append(f"{WITHOUT_ADDRESS}\t{' '.join(spaces[here].names)}\n")
        found[here] = "".join(lines)
    return found


def address_of(topology: Topology, namespace: str, name: str) -> Host | None:
    """Return the first address that a name of the lab means in a namespace; None where it means none."""
    for line in hosts_lines(topology)[namespace].splitlines() if topology.hosts_file else ():
        address, *names = line.split()
        if name.lower() in map(str.lower, names):
            return ipaddress.ip_address(address)
    return None


def _networks(namespace: Namespace) -> Prefixes[None]:
    """Return the networks on the links of a namespace, and behind its routes."""
    found: Prefixes[None] = Prefixes()
    for own, _ in connected(namespace.interfaces):
        if brings_network(own):
            found.add(own.network, None)
    for route in namespace.routes:
        if route.type == "unicast":
            found.add(route.to, None)
    return found


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
        spaces[name] = _Space(own[name], tuple(hosts), tuple(names), len({host.version for host in hosts}))
    return spaces
