"""What becomes readable when links, addresses or routes of this network namespace change (rtnetlink(7)).

What changed is not read: whoever depends on it looks again. So a message that was lost because there were too many
is as good as one that came.
"""

import errno
import socket
from collections.abc import Callable

# linux/rtnetlink.h
_LINK, _IPV4_IFADDR, _IPV4_ROUTE, _IPV6_IFADDR, _IPV6_ROUTE = 0x1, 0x10, 0x40, 0x100, 0x400
_LARGEST = 1 << 16


class NetworkChanges:
    """Subscribed from the moment it is made, to the namespace that the thread is in then."""

    def __init__(self) -> None:
        self._netlink = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_NONBLOCK, socket.NETLINK_ROUTE)
        self._netlink.bind((0, _LINK | _IPV4_IFADDR | _IPV4_ROUTE | _IPV6_IFADDR | _IPV6_ROUTE))

    def fileno(self) -> int:
        return self._netlink.fileno()

    def close(self) -> None:
        self._netlink.close()

    def tell(self, changed: Callable[[], None]) -> None:
        """Call `changed`, once for all changes until now."""
        while True:
            try:
                self._netlink.recv(_LARGEST)
            except BlockingIOError:
                break
            except OSError as error:
                if error.errno != errno.ENOBUFS:
                    raise
        changed()
