"""Which of the kernel's offloads are engaged, for everyone to see.

Each is tried by itself when the endpoint opens, and given up by itself when the kernel refuses it later:
old kernels refuse what they promised (6.6.44 some merged frames), and some interfaces what others take (a
send in segments over IPsec). Giving up costs speed and no packet; it is said once, in one line.
"""

import enum
import errno
import os
from collections.abc import Callable

Say = Callable[[str], None]


class Feature(enum.IntFlag):
    """The bits of the counters' cell `features`."""

    TUN_TSO = 1  # TCP superframes are read from the TUN device
    TUN_USO = 2  # the same for UDP
    UDP_SEGMENT = 4  # many datagrams are sent with one call
    UDP_GRO = 8  # many datagrams are received with one call
    TCP_MERGE = 16  # TCP packets are written to the TUN device as superframes
    UDP_MERGE = 32  # the same for UDP

    @property
    def words(self) -> list[str]:
        """The names of the bits that are set, such as `tun-tso`."""
        return [(each.name or "").lower().replace("_", "-") for each in Feature if each in self]


class Features:
    """The features that are engaged now."""

    def __init__(self, say: Say = lambda line: None) -> None:
        self._say = say
        self._cell = memoryview(bytearray(8)).cast("Q")
        self.now = Feature(0)

    def show_in(self, cell: memoryview) -> None:
        """Keep the one number of `cell` up to date from now on."""
        self._cell = cell
        cell[0] = self.now

    def engage(self, feature: Feature) -> None:
        """It works: use it."""
        self._set(self.now | feature)

    def give_up(self, feature: Feature, error: OSError) -> None:
        """Use it no more, and say so unless it was not used anyway."""
        if feature in self.now:
            self._set(self.now & ~feature)
            code = errno.errorcode.get(error.errno or 0, "?")
            words = ", ".join(feature.words)
            self._say(f"{words} is off from now on: {os.strerror(error.errno or 0)} ({code})")

    def _set(self, now: Feature) -> None:
        self.now = now
        self._cell[0] = now
