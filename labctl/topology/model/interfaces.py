"""The interfaces of a namespace, by their kind."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from labctl.topology.fields import InterfaceName, InterfaceRefField, Mac, Mtu, PrefixField, UserName
from labctl.topology.model.base import Model
from labctl.topology.model.impair import Impair


class _Interface(Model):
    addresses: tuple[PrefixField, ...] = Field((), description="Addresses with their prefix length.")
    mtu: Mtu | None = Field(None, description="Largest packet in bytes; where absent the kernel's own default.")


class Loopback(_Interface):
    """The loopback interface, to give it further addresses; every namespace has one, and it is up."""

    kind: Literal["lo"]


class _Ethernet(_Interface):
    mac: Mac | None = Field(None, description="Hardware address; where absent the kernel chooses one.")


class Dummy(_Ethernet):
    """An interface that swallows what is sent through it."""

    kind: Literal["dummy"]


class Veth(_Ethernet):
    """One end of a virtual cable; the other end names this one as its peer."""

    kind: Literal["veth"]
    peer: InterfaceRefField = Field(description="The other end of the cable.", examples=["siteB:wan0"])
    impair: Impair | None = Field(
        None, description="What packets suffer that leave this end; takes the kernel's netem."
    )


class Bridge(_Ethernet):
    """A learning switch."""

    kind: Literal["bridge"]
    ports: tuple[InterfaceName, ...] = Field((), description="Interfaces of the same namespace that are its ports.")


class Tap(_Ethernet):
    """A TAP device: Ethernet frames to and from a program."""

    kind: Literal["tap"]
    owner: UserName | None = Field(None, description="The user who may attach to it without further rights.")
    impair: Impair | None = Field(None, description="What packets suffer that it sends; takes the kernel's netem.")


class Tun(_Interface):
    """A TUN device: IP packets to and from a program."""

    kind: Literal["tun"]
    owner: UserName | None = Field(None, description="The user who may attach to it without further rights.")


Interface = Annotated[Dummy | Veth | Bridge | Tun | Tap | Loopback, Field(discriminator="kind")]
