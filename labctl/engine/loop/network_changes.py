"""Changes of the network under an endpoint, as a descriptor that becomes readable (rtnetlink(7)).

What changed is not read: whatever depends on it is chosen again. So it does no harm that the kernel drops messages
where there are too many (ENOBUFS).

Of links only its own TUN device concerns an endpoint. In a namespace of a hundred tunnels each of them would otherwise
be woken by every other one that comes up, so a filter keeps those messages away (socket(7), SO_ATTACH_FILTER).
"""

from __future__ import annotations

import errno
import socket
import struct
from array import array
from collections.abc import Callable

# linux/rtnetlink.h
RTM_NEWLINK, RTM_DELLINK = 16, 17
_LINK = 0x1
_ADDRESSES_AND_ROUTES = 0x10 | 0x40 | 0x100 | 0x400  # of IPv4 and of IPv6
SO_ATTACH_FILTER = 26
# linux/bpf_common.h: load 16 or 32 bits, jump if equal, return.
_LOAD16, _LOAD32, _IF_EQUAL, _RETURN = 0x28, 0x20, 0x15, 0x06
_TYPE, _INDEX = 4, 16 + 4  # where nlmsg_type and ifi_index are
_LARGEST = 1 << 16


class NetworkChanges:
    """A subscription to changes of one interface, and if `addresses`, of all addresses and routes."""

    def __init__(self, interface: str, addresses: bool) -> None:
        index = socket.if_nametoindex(interface)
        self._netlink = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_NONBLOCK, socket.NETLINK_ROUTE)
        try:
            _let_pass_one_link(self._netlink, index)
            self._netlink.bind((0, _LINK | (_ADDRESSES_AND_ROUTES if addresses else 0)))
        except OSError:
            self._netlink.close()
            raise

    def fileno(self) -> int:
        """Return the descriptor that is readable once something has changed."""
        return self._netlink.fileno()

    def close(self) -> None:
        """End the subscription."""
        self._netlink.close()

    def handle(self, changed: Callable[[], None]) -> None:
        """Call `changed`, once for all changes until now. Raise OSError for a fault of the socket."""
        while True:
            try:
                self._netlink.recv(_LARGEST)
            except BlockingIOError:
                break
            except OSError as error:
                if error.errno != errno.ENOBUFS:
                    raise
        changed()


def _let_pass_one_link(netlink: socket.socket, index: int) -> None:
    """Have the kernel drop messages about all links but this one."""
    # Netlink has the byte order of the machine, the filter that of the network.
    program = (
        (_LOAD16, 0, 0, _TYPE),
        (_IF_EQUAL, 1, 0, socket.htons(RTM_NEWLINK)),
        (_IF_EQUAL, 0, 2, socket.htons(RTM_DELLINK)),
        (_LOAD32, 0, 0, _INDEX),
        (_IF_EQUAL, 0, 1, socket.htonl(index)),
        (_RETURN, 0, 0, 0xFFFFFFFF),
        (_RETURN, 0, 0, 0),
    )
    code = array("B", b"".join(struct.pack("=HBBI", *line) for line in program))
    netlink.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, struct.pack("HP", len(program), code.buffer_info()[0]))
