"""Having the kernel take note of a carrier now (net/core/link_watch.c).

By itself it takes note of a hundred interfaces each second (linkwatch_run_queue()), and later where it is busy. Until
it has, an interface drops what is sent there; and one with IPv6 has no route for multicast (addrconf_notify() in
net/ipv6/addrconf.c), so that the first solicitation of a neighbour is lost and the next comes a second later.
"""

from __future__ import annotations

import fcntl
import socket
import struct
from array import array
from contextlib import suppress

SIOCETHTOOL = 0x8946  # linux/sockios.h
ETHTOOL_GLINK = 0x0A  # linux/ethtool.h


def notice_carrier(*interfaces: str) -> None:
    """Have the kernel catch up for interfaces of this network namespace: it does so for one whose link is asked for.

    An interface that is gone has no carrier to be noticed.
    """
    with suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        for name in interfaces:
            ask_for_link(any_socket, name)


def ask_for_link(any_socket: socket.socket, name: str) -> None:
    """Do the same for one interface, through a socket of its network namespace."""
    request = array("I", (ETHTOOL_GLINK, 0))
    with suppress(OSError):
        address = request.buffer_info()[0]
        fcntl.ioctl(any_socket, SIOCETHTOOL, struct.pack("16sP16x", name.encode(), address))
