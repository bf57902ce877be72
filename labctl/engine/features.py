"""Which of the kernel's offloads are engaged, and what else of an engine depends on the machine.

Each is tried by itself when the endpoint opens, and given up by itself when the kernel refuses it later:
old kernels refuse what they promised (6.6.44 some merged frames), and some interfaces what others take (a
send in segments over IPsec). Giving up costs speed and no packet; each reason is reported once, in one line.

What was refused may be taken later: routes lead over other interfaces, an address that was gone returns. So it is
tried again after a while, which costs one call.
"""

from __future__ import annotations

import enum
import errno
import os
from collections.abc import Callable, Sequence
from math import inf
from time import monotonic

Report = Callable[[str], None]

PAUSE = 5.0
"""Seconds after which the kernel is asked again for what it refused."""


class Feature(enum.IntFlag):
    """The bits of the counters' cell `features`."""

    TUN_TSO = 1  # TCP superframes are read from the TUN device
    TUN_USO = 2  # the same for UDP
    UDP_SEGMENT = 4  # many datagrams are sent with one call
    UDP_GRO = 8  # many datagrams are received with one call
    TCP_MERGE = 16  # TCP packets are written to the TUN device as superframes
    UDP_MERGE = 32  # the same for UDP
    C_CORE = 64  # the common way of packets is that in C
    SECCOMP = 128  # the engine may ask the kernel for nothing but what forwarding takes (`confinement`)

    @property
    def words(self) -> list[str]:
        """The names of the bits that are set, such as `tun-tso`."""
        return [(each.name or "").lower().replace("_", "-") for each in Feature if each in self]


def told(words: Sequence[str]) -> str:
    """Return what a person reads about features with these words."""
    offloads = " ".join(word for word in words if word not in (_CORE, _SECCOMP)) or "none"
    core, seccomp = "C" if _CORE in words else "Python", "on" if _SECCOMP in words else "off"
    return f"offload engaged: {offloads}; core in {core}; seccomp {seccomp}"


_CORE, _SECCOMP = (Feature.C_CORE | Feature.SECCOMP).words


class Features:
    """The features that are engaged now."""

    def __init__(self, report: Report = lambda line: None, clock: Callable[[], float] = monotonic) -> None:
        self._report = report
        self._clock = clock
        self._reported: set[str] = set()
        # When what was given up is to be tried again.
        self._again: dict[Feature, float] = {}
        self._cell = memoryview(bytearray(8)).cast("Q")
        self.now = Feature(0)

    def show_in(self, cell: memoryview) -> None:
        """Keep the one number of `cell` up to date from now on."""
        self._cell = cell
        cell[0] = self.now

    def engage(self, feature: Feature) -> None:
        """Use a feature, which the kernel has accepted."""
        self._set(self.now | feature)

    def disengage(self, feature: Feature) -> None:
        """Do without a feature that there is no use for now."""
        self._set(self.now & ~feature)
        for each in feature:
            self._again.pop(each, None)

    def give_up(self, feature: Feature, error: OSError) -> None:
        """Do without a feature for PAUSE seconds, and report why, unless that was reported before."""
        if feature in self.now:
            self._set(self.now & ~feature)
            self._again[feature] = self._clock() + PAUSE
            code = errno.errorcode.get(error.errno or 0, "?")
            line = f"{feature.words[0]} is off, and tried again later: {os.strerror(error.errno or 0)} ({code})"
            if line not in self._reported:
                self._reported.add(line)
                self._report(line)

    def use(self, feature: Feature) -> bool:
        """Return whether to use a feature: it is engaged, or was given up long enough ago to be tried again."""
        if feature in self.now:
            return True
        if self._clock() < self._again.get(feature, inf):
            return False
        self._again.pop(feature)
        self.engage(feature)
        return True

    def _set(self, now: Feature) -> None:
        self.now = now
        self._cell[0] = now
