"""Permanent neighbours that packets can be sent to."""

from __future__ import annotations

from collections.abc import Iterator

from labctl.topology.interface_ref import InterfaceRef
from labctl.topology.model import Namespace, Neighbour, Topology
from labctl.topology.paths import Path
from labctl.topology.routing import Fib, broadcast_of, on_link
from labctl.topology.rules.finding import Finding, kind_of, unknown_interface
from labctl.topology.unknown_names import listed
from labctl.topology.values import Host

_WITHOUT_FRAMES = ("tun", "lo")


def of_neighbours(topology: Topology, where: str, namespace: Namespace) -> Iterator[Finding]:
    """Yield what is wrong with the neighbours of a namespace."""
    seen: set[tuple[Host, str, bool]] = set()
    fib = Fib.of(namespace)
    for index, neighbour in enumerate(namespace.neighbours):
        here: Path = ("namespaces", where, "neighbours", index)
        key = (neighbour.to, neighbour.dev, neighbour.proxy)
        if key in seen:
            what = f"there is an entry for {neighbour.to} on {neighbour.dev} already"
            yield Finding((*here, "to"), what, "leave one of them out", (here[:-1],))
        seen.add(key)
        ref = InterfaceRef(where, neighbour.dev)
        yield from _lladdr(neighbour, here)
        if unknown := unknown_interface(topology, ref, (*here, "dev")):
            yield unknown
        elif (kind := kind_of(topology, ref)) in _WITHOUT_FRAMES:
            what = f"nothing behind {ref} has a MAC address: it is a {kind}"
            yield Finding((*here, "dev"), what, "name an interface that carries Ethernet frames")
        else:
            yield from _address(where, namespace, fib, neighbour, (*here, "to"))


def _lladdr(neighbour: Neighbour, here: Path) -> Iterator[Finding]:
    if neighbour.proxy and neighbour.lladdr:
        what = "a proxied neighbour has no 'lladdr': requests are answered with the MAC of 'dev'"
        yield Finding((*here, "lladdr"), what, "leave it out")
    elif not neighbour.proxy and not neighbour.lladdr:
        what = "a permanent neighbour needs 'lladdr'"
        yield Finding(here, what, 'for example lladdr: "02:00:00:00:00:02"', (here,))


def _address(where: str, namespace: Namespace, fib: Fib, neighbour: Neighbour, path: Path) -> Iterator[Finding]:
    to, dev = neighbour.to, neighbour.dev
    if to.is_unspecified or to.is_multicast or to.is_loopback or broadcast_of(namespace.interfaces, to):
        yield Finding(path, f"{to} cannot be a neighbour", "name the address of one host")
    elif fib.owner_of(to) is not None:
        yield Finding(path, f"{to} is an address of {where!r} itself", "name the address of another host")
    elif not neighbour.proxy and not (to.version == 6 and to.is_link_local) and not _is_next_hop(to, dev, namespace):
        near = [network for network, name in on_link(namespace.interfaces, namespace.routes) if name == dev]
        if not any(to in network for network in near):
            hint = f"its networks: {listed([str(network) for network in near])}" if near else ""
            absent = (("namespaces", where, "interfaces", dev), ("namespaces", where, "routes"))
            what = f"the neighbour {to} is in no network of {dev}"
            yield Finding(path, what, hint or f"give {dev} an address in its network", absent)


def _is_next_hop(to: Host, dev: str, namespace: Namespace) -> bool:
    """Return whether a route has the address as a next hop behind the interface, though no network there has it."""
    hops = (hop for route in namespace.routes for hop in route.nexthops or (route,))
    return any(hop.onlink and (hop.via, hop.dev) == (to, dev) for hop in hops)
