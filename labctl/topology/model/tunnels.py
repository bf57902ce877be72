"""The tunnel endpoints, each with the engine that serves it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from labctl.topology.model.base import Model, key
from labctl.topology.model.impair import Impair

if TYPE_CHECKING:
    from labctl.topology.fields import Command, Directory, InterfaceRefField, SocketAddressField


class Engine(Model, called="an engine"):
    """A forwarder of your own in place of the built-in engine."""

    command: Command = key(
        description="How it is started, in the namespace of the device and in its own words.",
        examples=["./my_ttun {device} {bind_address} {bind_port} {peer_address} {peer_port}"],
    )
    directory: Directory = key(
        default="", description="Where it runs, seen from the directory of the file; that itself where absent."
    )


class TunnelEndpoint(Model, called="an endpoint of ttun"):
    """One end of a tunnel: the ttun engine between a TUN device and a UDP socket."""

    device: InterfaceRefField = key(description="The TUN device that it serves.", examples=["siteA:tun0"])
    bind: SocketAddressField = key(
        description="The UDP address that it binds, in the device's namespace.", examples=["10.0.1.1:9000"]
    )
    peer: SocketAddressField = key(
        description="The UDP address of the other end; no other is listened to.", examples=["10.0.2.1:9000"]
    )
    verbose: bool = key(default=False, description="Write a line for every packet to the log.")
    offload: bool = key(default=True, description="Let the kernel hand over many packets at once, where it can.")
    too_big: Literal["fragment", "icmp"] = key(
        default="fragment",
        description="What a packet gets that is too large for the underlay: fragments, or ICMP's answer.",
    )
    impair: Impair | None = key(default=None, description="What packets suffer on their way out.")
    impair_in: Impair | None = key(default=None, description="What packets suffer on their way in.")
    engine: Engine | None = key(default=None, description="Another program in place of the built-in engine.")
