"""An engine as a value: the device that it serves, the two ends of its tunnel, and how it carries packets.

Steps, facts and the journal carry it. Text is made of it where a person or another program reads it: the title of the
process, a report, JSON, a script. What an engine was started with stays, but for its impairments, which can be changed
while it runs.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Literal

from labctl.engine.packets.address import Address
from labctl.engine.packets.impairment import Impairment
from labctl.frozen import frozen
from labctl.topology.interface_ref import InterfaceRef

NO_IMPAIRMENT = Impairment()

Direction = Literal["out", "in"]
"""Of packets, seen from the TUN device: out to the peer, in from the peer."""

TooBig = Literal["fragment", "icmp"]
"""What a packet gets that is too large for the path: fragments, or an ICMP answer."""


@frozen
class EngineSpec:
    """The built-in engine of a device, or a program of the user's in its place, with all that it is started with."""

    device: InterfaceRef
    bind: Address
    peer: Address
    verbose: bool = False
    offload: bool = True
    too_big: TooBig = "fragment"
    impair: Impairment = NO_IMPAIRMENT
    impair_in: Impairment = NO_IMPAIRMENT
    run_as: str | None = None  # the owner of the device, by name or number
    program: tuple[str, ...] = ()  # empty: the built-in engine
    directory: str = ""  # where the program runs

    @property
    def command(self) -> str:
        """The command that starts the same from a shell."""
        return shlex.join(self.program or self._ttun())

    def _ttun(self) -> Iterator[str]:
        yield from ("ttun", self.device.interface)
        for address in (self.bind, self.peer):
            yield from (address.host, str(address.port))
        yield from ("-v",) if self.verbose else ()
        yield from () if self.offload else ("--no-offload",)
        yield from ("--too-big", self.too_big) if self.too_big != "fragment" else ()
        yield from ("--impair", str(self.impair)) if self.impair != NO_IMPAIRMENT else ()
        yield from ("--impair-in", str(self.impair_in)) if self.impair_in != NO_IMPAIRMENT else ()

    @property
    def impairments(self) -> Mapping[Direction, Impairment]:
        """What packets suffer, by direction."""
        return {"out": self.impair, "in": self.impair_in}

    @property
    def unimpaired(self) -> EngineSpec:
        """The same engine without impairments."""
        return replace(self, impair=NO_IMPAIRMENT, impair_in=NO_IMPAIRMENT)

    def impaired(self, direction: Direction, impairment: Impairment) -> EngineSpec:
        """Return the same engine with another impairment in one direction."""
        return replace(self, impair=impairment) if direction == "out" else replace(self, impair_in=impairment)

    def can_become(self, other: EngineSpec) -> bool:
        """Return whether this engine, once it runs, can be made the other one without being started again.

        Of a program that is told by its command alone, of the built-in engine by all but its impairments. The owner of
        a device may be spelled in two ways; where it is another user, the device itself is made again.
        """
        if self.program or other.program:
            return self.program == other.program
        return replace(self.unimpaired, run_as=other.run_as) == other.unimpaired
