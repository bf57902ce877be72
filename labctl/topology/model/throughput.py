"""How fast data comes from one namespace to another."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from labctl.topology.model.base import Model, key
from labctl.topology.model.bounds import Bounds, bounds
from labctl.topology.values import mistake

if TYPE_CHECKING:
    from labctl.topology.fields import BitRate, HostField, NamespaceName, Port, Seconds


class Throughput(Model, called="a throughput"):
    """As much data as will go through, measured where it arrives."""

    ANSWERS: ClassVar[tuple[str, ...]] = ()

    from_: NamespaceName = key(description="The namespace that sends.", examples=["siteA"])
    to: NamespaceName = key(description="The namespace that receives.", examples=["siteB"])
    address: HostField = key(description="The address that the receiver listens on.", examples=["10.0.102.1"])
    port: Port = key(default=5201, description="The port that the receiver listens on.")
    protocol: Literal["tcp", "udp"] = key(default="tcp", description="The transport; UDP sends 1.5 times its bounds.")
    seconds: Seconds = key(default=2.0, ge=0.2, le=600, description="For how long it is measured, at least.")
    at_least: BitRate | None = key(default=None, description="The fewest bits per second.", examples=["50Mbit/s"])
    at_most: BitRate | None = key(default=None, description="The most bits per second.", examples=["50Mbit/s"])

    def __post_init__(self) -> None:
        if 0 in self.bounds:
            raise mistake("a throughput is more than 0", "for example at_least: 50Mbit/s")

    @property
    def bounds(self) -> Bounds:
        """Return the rates in bits per second."""
        return bounds("rate", self.at_least, self.at_most, "throughput: {..., at_least: 50Mbit/s}")

    @property
    def namespaces(self) -> dict[str, str]:
        """Return the namespaces that it names, by key; the first asks."""
        return {"from": self.from_, "to": self.to}
