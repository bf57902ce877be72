"""The TAP side: a frame or a superframe for each call, behind its virtio header (IFF_VNET_HDR).

The kernel hands over TCP superframes and checksums that are not computed yet, and takes both back at the other end as
they were, so neither end looks into a frame. The header has the byte order of little-endian machines at both ends
(TUNSETVNETLE), whatever the machine. UDP superframes are not asked for: kernels before 6.2 do not take them.
"""

from __future__ import annotations

import errno
import fcntl
import os
import socket
import struct
from collections.abc import Sequence
from contextlib import suppress

from labctl.engine.cable.wire import LARGEST_RECORD
from labctl.engine.carrier import SIOCETHTOOL, ask_for_link
from labctl.engine.packets.train import Bytes
from labctl.engine.ports import buffer
from labctl.engine.tun.device import TUNSETOFFLOAD, attached

# linux/if_tun.h
IFF_TAP, IFF_VNET_HDR = 0x0002, 0x4000
TUN_F_CSUM, TUN_F_TSO4, TUN_F_TSO6 = 0x01, 0x02, 0x04
TUNSETVNETLE, TUNSETCARRIER = 0x400454DC, 0x400454E2
# linux/sockios.h, linux/if.h
SIOCGIFFLAGS, IFF_UP = 0x8913, 0x1


class Tap:
    """A TAP interface, attached and without a carrier. Non-blocking."""

    def __init__(self, name: str) -> None:
        """Raise EngineError if the kernel refuses."""
        self.name = name
        self._descriptor = attached(name, IFF_TAP | IFF_VNET_HDR)
        # For questions about the interface; later none can be opened (`confinement`).
        self._ask = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._read = buffer(LARGEST_RECORD)
        fcntl.ioctl(self._descriptor, TUNSETVNETLE, struct.pack("=i", 1))
        fcntl.ioctl(self._descriptor, TUNSETOFFLOAD, TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6)
        self.set_carrier(False)

    def fileno(self) -> int:
        """Return the descriptor that is readable while a frame waits."""
        return self._descriptor

    def close(self) -> None:
        """Detach: the carrier goes. The offloads belong to the device, and go, too."""
        with suppress(OSError):
            fcntl.ioctl(self._descriptor, TUNSETOFFLOAD, 0)
        os.close(self._descriptor)
        self._ask.close()

    def receive(self) -> memoryview:
        """Return a frame behind its virtio header; it is valid until the next call. Raise BlockingIOError, OSError."""
        return self._read[: os.readv(self._descriptor, (self._read,))]

    def send(self, buffers: Sequence[Bytes]) -> None:
        """Write one frame behind its virtio header. Raise OSError if it is refused."""
        os.writev(self._descriptor, buffers)

    def set_carrier(self, there: bool) -> None:
        """Switch the carrier (tun_net_change_carrier); it takes no right. Raise OSError if the device is gone."""
        fcntl.ioctl(self._descriptor, TUNSETCARRIER, struct.pack("=i", there))
        ask_for_link(self._ask, self.name)

    def is_up(self) -> bool:
        """Return whether the interface is up. Raise OSError if it is gone."""
        answer = fcntl.ioctl(self._ask, SIOCGIFFLAGS, struct.pack("16sH14x", self.name.encode(), 0))
        (flags,) = struct.unpack_from("16xH", answer)
        return bool(flags & IFF_UP)


REQUESTS = (TUNSETCARRIER, SIOCGIFFLAGS, SIOCETHTOOL)
"""What is asked of the device while it is open."""

GONE = {errno.EBADFD, errno.EFAULT, errno.ENODEV}
"""What calls say when the device was deleted."""
