"""What was made by hand is removed: each step is one request in its namespace."""

from __future__ import annotations

from collections.abc import Mapping

from labctl.kernel import neighbours, qdiscs, xfrm
from labctl.kernel import rtnetlink as rt
from labctl.kernel.nftables import tables
from labctl.plan import steps
from labctl.process.syscalls import network_namespace

Foreign = steps.DeleteTable | steps.FlushXfrm | steps.DeleteQdisc | steps.DeleteNeighbour | steps.DeleteForwarding
"""The steps that remove what the file does not ask for."""


def remove(step: Foreign, namespace: int, netlink: rt.Rtnetlink, indexes: Mapping[str, int]) -> None:
    """Perform a step in the namespace of a descriptor and a socket, with the indexes of its interfaces.

    Raise OSError where the kernel refuses.
    """
    match step:
        case steps.DeleteTable(family=family, name=name):
            with network_namespace(namespace):
                tables.delete(family, name)
        case steps.FlushXfrm(what=what):
            with network_namespace(namespace):
                xfrm.flush(what)
        case steps.DeleteQdisc(interface=interface, place=place):
            qdiscs.detach(netlink, indexes[interface], place)
        case steps.DeleteNeighbour(interface=interface, neighbour=neighbour):
            neighbours.forget(netlink, indexes[interface], neighbour)
        case steps.DeleteForwarding(interface=interface, mac=mac):
            neighbours.forget_forwarding(netlink, indexes[interface], mac)
