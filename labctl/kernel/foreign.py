"""What was made by hand is taken away: each step is one request in its namespace."""

from __future__ import annotations

from collections.abc import Mapping

from labctl.kernel import neighbours, nftables, qdiscs, xfrm
from labctl.kernel import rtnetlink as rt
from labctl.plan.foreign import DeleteForwarding, DeleteNeighbour, DeleteQdisc, DeleteTable, FlushXfrm, Foreign
from labctl.process.syscalls import network_namespace


def take_away(step: Foreign, namespace: int, netlink: rt.Rtnetlink, indexes: Mapping[str, int]) -> None:
    """Perform a step in the namespace of a descriptor and a socket, with the indexes of its interfaces.

    Raises OSError where the kernel refuses.
    """
    match step:
        case DeleteTable(family=family, name=name):
            with network_namespace(namespace):
                nftables.delete(family, name)
        case FlushXfrm(what=what):
            with network_namespace(namespace):
                xfrm.flush(what)
        case DeleteQdisc(interface=interface, place=place):
            qdiscs.detach(netlink, indexes[interface], place)
        case DeleteNeighbour(interface=interface, neighbour=neighbour):
            neighbours.forget(netlink, indexes[interface], neighbour)
        case DeleteForwarding(interface=interface, mac=mac):
            neighbours.forget_forwarding(netlink, indexes[interface], mac)
