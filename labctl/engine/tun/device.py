"""The TUN device, a packet for each call of the kernel, which works everywhere; `offload` is the fast one."""

from __future__ import annotations

import errno
import fcntl
import os
import struct
from collections.abc import Iterable
from copy import copy
from typing import Self

from labctl.engine.carrier import notice_carrier
from labctl.engine.errors import EngineError, explained
from labctl.engine.features import Features
from labctl.engine.packets.train import Bytes, Train
from labctl.engine.ports import LARGEST

# linux/if_tun.h
TUNSETIFF, TUNSETOFFLOAD, TUNGETIFF = 0x400454CA, 0x400454D0, 0x800454D2
IFF_TUN, IFF_NO_PI = 0x0001, 0x1000
IFNAMSIZ = 16
# linux/sockios.h, linux/ethtool.h


class TunDevice:
    """A TUN interface, attached, without the packet information header. Non-blocking."""

    flags = 0

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    @classmethod
    def open(cls, name: str) -> Self:
        """Attach to the interface `name`, or make one for as long as the port is open. Raise EngineError if refused."""
        descriptor = attached(name, IFF_TUN | cls.flags)
        # What another program asked for and did not take back (`offload` says why).
        fcntl.ioctl(descriptor, TUNSETOFFLOAD, 0)
        notice_carrier(name)
        return cls(descriptor)

    def over(self, descriptor: int) -> Self:
        """Return this port over another descriptor. Both use the same buffers, so only one may be in use at a time."""
        other = copy(self)
        other._descriptor = descriptor
        return other

    def fileno(self) -> int:
        return self._descriptor

    def name(self) -> str:
        """Return the name of the interface as it is now. Raise OSError if it is gone."""
        request = fcntl.ioctl(self._descriptor, TUNGETIFF, bytes(IFNAMSIZ + 24))
        return request[:IFNAMSIZ].rstrip(b"\0").decode()

    def engage(self, features: Features) -> None:
        """Plain ports have no features."""

    def rested(self) -> None:
        """Plain ports take every packet alone."""

    def reconsider(self) -> None:
        """Plain ports choose nothing."""

    def receive(self) -> Bytes | list[Train]:
        return os.read(self._descriptor, LARGEST)

    def pieces(self, train: Train) -> Iterable[Train]:
        return train.singles()

    def send(self, piece: Train) -> None:
        self.send_lone(piece.data)

    def send_lone(self, packet: Bytes) -> None:
        os.write(self._descriptor, packet)

    def close(self) -> None:
        os.close(self._descriptor)


def attached(name: str, flags: int) -> int:
    """Return a descriptor of the interface `name`, non-blocking, made if it is not there. Raise EngineError if refused.

    `flags` are of linux/if_tun.h: IFF_TUN or IFF_TAP, and what else is wanted of the descriptor.
    """
    with explained("cannot open /dev/net/tun", _DEVICE_HINTS, "run `ls -l /dev/net/tun`"):
        descriptor = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        fcntl.ioctl(descriptor, TUNSETIFF, struct.pack(f"{IFNAMSIZ}sH22x", name.encode(), flags | IFF_NO_PI))
    except OSError as error:
        os.close(descriptor)
        number = error.errno or errno.EIO
        hint = _ATTACH_HINTS.get(number, "`ip -details link show {}` shows what it is").format(name)
        raise EngineError(f"cannot attach to {name}", number, hint) from error
    return descriptor


_DEVICE_HINTS = {
    errno.ENOENT: "load the driver as root: modprobe tun",
    errno.ENODEV: "this kernel has no TUN driver; as root try: modprobe tun",
    errno.ENXIO: "this kernel has no TUN driver; as root try: modprobe tun",
    errno.EACCES: "ask for the right to open it: as root, chmod 0666 /dev/net/tun",
    errno.EPERM: "this container may not use TUN: start it with --device /dev/net/tun",
}
_ATTACH_HINTS = {
    errno.EPERM: "as root make it yours: ip tuntap add dev {} mode tun user NAME",
    errno.EBUSY: "another program is attached to {0}: end it, or use another device",
    errno.EINVAL: "{0} exists but is no plain TUN device: see `ip -details link show {0}`",
}
