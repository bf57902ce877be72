"""Where the other end of a cable is.

The kernel tells of an interface's other end its index, and a number for its namespace that means something only in the
namespace that asks (IFLA_LINK, IFLA_LINK_NETNSID; net/core/net_namespace.c). Which number a namespace has whose name is
known can be asked, so names are tried until every number is known: those first where the end should be.
"""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Iterable, Mapping
from contextlib import suppress

from labctl.errors import UsageError
from labctl.kernel import namespaces
from labctl.kernel import rtnetlink as rt
from labctl.kernel.link_message import IFLA_LINK, IFLA_LINK_NETNSID, LinkMessage
from labctl.process.syscalls import network_namespace
from labctl.topology.interface_ref import InterfaceRef

_RTGENMSG = struct.pack("=Bxxx", socket.AF_UNSPEC)
_NETNSA_NSID, _NETNSA_FD = 1, 3  # linux/net_namespace.h
_NSID = struct.Struct("=i")


def other_ends(
    netlink: rt.Rtnetlink, own: str, veths: Iterable[LinkMessage], names: Mapping[int, str], candidates: Iterable[str]
) -> dict[int, InterfaceRef]:
    """Return the other end by the index of each end that is in the namespace `own`.

    `names` are those of the namespace's own interfaces. An end in none of the candidates is left out.
    """
    found: dict[int, InterfaceRef] = {}
    far: dict[int, list[tuple[int, int]]] = {}  # by number of the namespace: the index there, and ours
    for link in veths:
        there = link.number(IFLA_LINK) or 0
        if IFLA_LINK_NETNSID in link.attributes:
            (number,) = _NSID.unpack(link.attributes[IFLA_LINK_NETNSID])
            far.setdefault(number, []).append((there, link.index))
        elif there in names:
            found[link.index] = InterfaceRef(own, names[there])
    untried = iter(candidates)
    while far and (name := next(untried, None)) is not None:
        try:
            fd = namespaces.open_namespace(name)
        except UsageError:  # it is gone, and every cable into it
            continue
        try:
            ends = far.pop(_number(netlink, fd), [])
            with network_namespace(fd):
                for there, here in ends:
                    with suppress(OSError):  # it has gone since we were told of it
                        found[here] = InterfaceRef(name, socket.if_indextoname(there))
        finally:
            os.close(fd)
    return found


def _number(netlink: rt.Rtnetlink, fd: int) -> int:
    """Return what a namespace is called where the socket is from; -1 where nothing there has to do with it."""
    body = _RTGENMSG + rt.attribute(_NETNSA_FD, struct.pack("=I", fd))
    (answer,) = netlink.messages(rt.RTM_GETNSID, body, rt.NLM_F_ACK)
    (number,) = _NSID.unpack(rt.attributes(answer[len(_RTGENMSG) :])[_NETNSA_NSID])
    return int(number)
