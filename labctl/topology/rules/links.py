"""What the hosts on a link do not find of each other, though the file is no mistake.

The two ends of a cable may have no network in common; and a namespace that has the same network on two links looks for
all of its hosts on one of them.
"""

from __future__ import annotations

from collections.abc import Iterator

from labctl.topology.interface_ref import InterfaceRef
from labctl.topology.model import Interface, Topology, Veth
from labctl.topology.paths import Path
from labctl.topology.routed import Network
from labctl.topology.routing import brings_network
from labctl.topology.rules.finding import Finding
from labctl.topology.values import Prefix


def not_found(topology: Topology) -> Iterator[Finding]:
    """Yield a warning for each link on which hosts do not find each other; rules of routing may have it otherwise."""
    network = Network(topology)
    for where, namespace in topology.namespaces.items():
        if namespace.rules:
            continue
        for name, interface in namespace.interfaces.items():
            here = InterfaceRef(where, name)
            yield from _sought_elsewhere(network, here, interface)
            if isinstance(interface, Veth) and here < interface.peer:
                yield from _nothing_shared(network, here, interface.peer)


def _sought_elsewhere(network: Network, here: InterfaceRef, interface: Interface) -> Iterator[Finding]:
    """Yield the addresses of an interface of whose network a host on its link is looked for on another one."""
    others = [ref for ref in network.segments.of(here).interfaces if ref.namespace != here.namespace]
    for index, own in enumerate(interface.addresses):
        if own.version == 6 and own.is_link_local:
            continue  # each link has one of that network, and packets to it leave by the interface that is named
        near = [(ref, each.ip) for ref in others for each in _addresses(network, ref) if each.ip in own.network]
        for ref, address in near if brings_network(own) else ():
            way = network.fibs[here.namespace].lookup(address)
            if way is None or way.local or way.via is not None or way.interface == here.interface:
                continue
            leaves = InterfaceRef(here.namespace, way.interface)
            if ref not in network.segments.of(leaves):
                what = f"{ref} is on the link of {here}, and packets to it ({address}) leave by {leaves}"
                yield Finding((*_path(here), index), what, "give each link a network of its own")
                break


def _nothing_shared(network: Network, one: InterfaceRef, other: InterfaceRef) -> Iterator[Finding]:
    """Yield that the ends of a cable have IPv4 addresses, or IPv6 ones, and neither finds the other by them."""
    for version in (4, 6):
        ours, theirs = (
            [own for own in _addresses(network, ref) if own.version == version and not own.ip.is_link_local]
            for ref in (one, other)
        )
        if ours and theirs and not _finds(network, one, theirs) and not _finds(network, other, ours):
            what = f"{one} and {other} are the ends of a cable, and have no network in common"
            index = _addresses(network, one).index(ours[0])
            yield Finding((*_path(one), index), what, f"{other} has {theirs[0]}: give both addresses of one network")


def _finds(network: Network, here: InterfaceRef, addresses: list[Prefix]) -> bool:
    ways = (network.fibs[here.namespace].lookup(each.ip) for each in addresses)
    return any(way is not None and way.interface == here.interface for way in ways)


def _addresses(network: Network, ref: InterfaceRef) -> tuple[Prefix, ...]:
    return tuple(network.topology.namespaces[ref.namespace].interfaces[ref.interface].addresses)


def _path(ref: InterfaceRef) -> Path:
    return ("namespaces", ref.namespace, "interfaces", ref.interface, "addresses")
