"""The machines of a lab that is over several, and what one of them has to know of the others."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from labctl.topology.fields import InterfaceRefField, Mtu, NamespaceName
from labctl.topology.model.base import Model
from labctl.topology.model.namespace import nothing_is_empty
from labctl.topology.values import mistake
from labctl.topology.values.hosts import DestinationField, HostAddress, HostName, PortRangeField


class LabHost(Model):
    """A machine on which namespaces of a lab are."""

    address: HostAddress | None = Field(
        None,
        description="Where the other hosts send to, an IP address or a name; where absent, what ssh logs in to.",
    )
    ports: PortRangeField | None = Field(
        None, description="Its UDP ports for cables, one for each; where absent the kernel chooses."
    )
    ssh: DestinationField | None = Field(
        None, description="What ssh logs in to, in its own words; where absent, the name of the host."
    )


def not_about_names(value: Any) -> Any:
    """Return the machines of a lab. Raise a mistake for what turned off the hosts file in earlier versions."""
    if isinstance(value, bool):
        hint = f"whether namespaces know one another by name is said by `hosts_file: {str(value).lower()}`"
        raise mistake("`hosts` are the machines of a lab, each by its name", hint)
    return value


Hosts = Annotated[
    dict[HostName, Annotated[LabHost, BeforeValidator(nothing_is_empty)]], BeforeValidator(not_about_names)
]


class CableEnd(Model):
    """One end of a cable whose other end is on another host: a TAP device, and the cable that it is an end of."""

    device: InterfaceRefField
    peer: InterfaceRefField  # the device at the other end
    cable: str  # its name, the same at both ends
    host: HostName  # of the other end
    mtu: Mtu | None = None  # of the device, where the file names one
    ports: PortRangeField | None = None  # of this host
    address: HostAddress  # of this host


class Part(Model):
    """What a host has to know of a lab beside the namespaces that are on it.

    labctl makes it (plan/parts.py), and no file has it.
    """

    host: HostName
    cables: tuple[CableEnd, ...]
    names: dict[NamespaceName, str]  # the lines of each hosts file, with the namespaces of all hosts
