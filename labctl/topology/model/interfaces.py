"""The interfaces of a namespace, by their kind."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from labctl.topology.markers import Kinds
from labctl.topology.model.base import Model, key
from labctl.topology.model.impair import Impair

if TYPE_CHECKING:
    from labctl.topology.fields import InterfaceName, InterfaceRefField, Mac, Mtu, PrefixField, UserName


class _Interface(Model):
    """What all interfaces have."""

    addresses: tuple[PrefixField, ...] = key(default=(), description="Addresses with their prefix length.")
    mtu: Mtu | None = key(default=None, description="Largest packet in bytes; where absent the kernel's own default.")


class Loopback(_Interface, called="an interface of kind lo"):
    """The loopback interface, to give it further addresses; every namespace has one, and it is up."""

    kind: Literal["lo"] = key()


class _Ethernet(_Interface):
    """What interfaces have that carry Ethernet frames."""

    mac: Mac | None = key(default=None, description="Hardware address; where absent the kernel chooses one.")


class Dummy(_Ethernet, called="an interface of kind dummy"):
    """An interface that swallows what is sent through it."""

    kind: Literal["dummy"] = key()


class Veth(_Ethernet, called="an interface of kind veth"):
    """One end of a virtual cable; the other end names this one as its peer."""

    kind: Literal["veth"] = key()
    peer: InterfaceRefField = key(description="The other end of the cable.", examples=["siteB:wan0"])
    impair: Impair | None = key(
        default=None, description="What packets suffer that leave this end; takes the kernel's netem."
    )


class Bridge(_Ethernet, called="an interface of kind bridge"):
    """A learning switch."""

    kind: Literal["bridge"] = key()
    ports: tuple[InterfaceName, ...] = key(
        default=(), description="Interfaces of the same namespace that are its ports."
    )


class Tap(_Ethernet, called="an interface of kind tap"):
    """A TAP device: Ethernet frames to and from a program."""

    kind: Literal["tap"] = key()
    owner: UserName | None = key(default=None, description="The user who may attach to it without further rights.")
    impair: Impair | None = key(
        default=None, description="What packets suffer that it sends; takes the kernel's netem."
    )


class Tun(_Interface, called="an interface of kind tun"):
    """A TUN device: IP packets to and from a program."""

    kind: Literal["tun"] = key()
    owner: UserName | None = key(default=None, description="The user who may attach to it without further rights.")


Interface = Annotated[Dummy | Veth | Bridge | Tun | Tap | Loopback, Kinds("an interface", "{kind: dummy}")]
