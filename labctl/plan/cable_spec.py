"""The engine of one end of a cable between hosts as a value: the TAP device, the other end, and where its socket is.

Where the other end is reached, and the key, are no part of it: both are told to the engine while it runs, and are
others each time.
"""

from __future__ import annotations

from labctl.frozen import frozen
from labctl.topology.interface_ref import InterfaceRef


@frozen
class CableSpec:
    """One end of a cable, as its engine is started."""

    device: InterfaceRef
    peer: InterfaceRef
    cable: str  # its name, the same at both ends
    host: str  # of the other end
    address: str  # where the other hosts send to: of this host, an IP address or a name
    ports: tuple[int, int] = (0, 0)  # the first and the last of those that may be bound; 0: the kernel chooses

    @property
    def command(self) -> str:
        """The title of the process. No shell starts the same: it would have no key."""
        return f"labctl: cable of {self.device} to {self.peer} on {self.host}"
