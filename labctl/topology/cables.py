"""On which host each namespace of a lab is, and the cables between hosts: veths whose ends are on two of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from labctl.topology.interface_ref import InterfaceRef
from labctl.topology.model import Topology, Veth


class Cable(NamedTuple):
    """A veth whose ends are on two hosts, its ends in the order of their names."""

    one: InterfaceRef
    other: InterfaceRef

    def __str__(self) -> str:
        return f"{self.one}-{self.other}"


def host_of(topology: Topology, namespace: str) -> str | None:
    """Return the host that a namespace is on: the one that it names, or the only one; None where the file says none."""
    named = topology.namespaces[namespace].host
    if named is None and len(topology.hosts) == 1:
        return next(iter(topology.hosts))
    return named if topology.hosts else None


def address_of_host(topology: Topology, host: str) -> str:
    """Return where the other hosts send to: its address, or what ssh logs in to."""
    known = topology.hosts[host]
    return known.address or (known.ssh.host if known.ssh else host)


def cables_of(topology: Topology) -> tuple[Cable, ...]:
    """Return the cables between the hosts of a topology, in the order of the file."""
    return tuple(_cables(topology))


def _cables(topology: Topology) -> Iterator[Cable]:
    on = {name: host_of(topology, name) for name in topology.namespaces}
    for where, namespace in topology.namespaces.items():
        for name, interface in namespace.interfaces.items():
            own = InterfaceRef(where, name)
            if isinstance(interface, Veth) and own < interface.peer:
                there = on.get(interface.peer.namespace, on[where])  # whether the peer is there, `rules` says
                if there != on[where]:
                    yield Cable(own, interface.peer)
