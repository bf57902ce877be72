"""The machines of a lab that is over several, and what one of them has to know of the others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from labctl.topology.model.base import Model, key

if TYPE_CHECKING:
    from labctl.topology.fields import (
        DestinationField,
        HostAddress,
        HostName,
        InterfaceRefField,
        Mtu,
        NamespaceName,
        PortRangeField,
    )


class LabHost(Model, called="a host"):
    """A machine on which namespaces of a lab are."""

    address: HostAddress | None = key(
        default=None,
        description="Where the other hosts send to, an IP address or a name; where absent, what ssh logs in to.",
    )
    ports: PortRangeField | None = key(
        default=None, description="Its UDP ports for cables, one for each; where absent the kernel chooses."
    )
    ssh: DestinationField | None = key(
        default=None, description="What ssh logs in to, in its own words; where absent, the name of the host."
    )

    @classmethod
    def in_full(cls, written: Any) -> Any:
        """Return what a host is of which only the name is written."""
        return {} if written is None else written


class CableEnd(Model):
    """One end of a cable whose other end is on another host: a TAP device, and the cable that it is an end of."""

    device: InterfaceRefField = key()
    peer: InterfaceRefField = key()  # the device at the other end
    cable: str = key()  # its name, the same at both ends
    host: HostName = key()  # of the other end
    mtu: Mtu | None = key(default=None)  # of the device, where the file names one
    ports: PortRangeField | None = key(default=None)  # of this host
    address: HostAddress = key()  # of this host


class Part(Model):
    """What a host has to know of a lab beside the namespaces that are on it.

    labctl makes it (plan/parts.py), and no file has it.
    """

    host: HostName = key()
    cables: tuple[CableEnd, ...] = key()
    names: dict[NamespaceName, str] = key()  # the lines of each hosts file, with the namespaces of all hosts
