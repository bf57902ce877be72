"""The checks: what is asked, and what must be observed and counted."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field, model_validator

from labctl.topology.fields import CheckName, HostField, InterfaceRefField, NamespaceName, Port, Seconds, Whole
from labctl.topology.model.base import Model
from labctl.topology.model.bounds import LossBounds, RttBounds
from labctl.topology.model.probes import Dns, Exec, Expectation, Http, RouteLookup
from labctl.topology.model.throughput import Throughput


class Ping(Model):
    """ICMP echo requests from a namespace to an address."""

    ANSWERS: ClassVar[tuple[Expectation, ...]] = ("reply", "no-reply", "not-sent")

    from_: NamespaceName = Field(alias="from", description="The namespace that sends.", examples=["siteA"])
    to: HostField = Field(description="The address that is pinged.", examples=["10.0.102.1"])
    count: Whole = Field(
        3, ge=1, le=10_000, description="How many requests are sent; with bounds at most, and 1000 where absent."
    )
    size: Whole = Field(56, ge=0, le=65000, description="Payload of each request in bytes, as ping -s.")
    interval: Seconds = Field(
        0.05, ge=0.002, le=60, description="Seconds between two requests; with loss alone 0.01 where absent."
    )
    timeout: Seconds = Field(1.0, gt=0, le=60, description="Seconds to wait for the replies after the last request.")
    loss: LossBounds | None = Field(None, description="How many may get no reply; none where absent.")
    rtt: RttBounds | None = Field(None, description="How long the round trip to a reply may take.")

    @model_validator(mode="before")
    @classmethod
    def _more_for_bounds(cls, written: Any) -> Any:
        if not isinstance(written, dict) or {"loss", "rtt"}.isdisjoint(written):
            return written
        # What takes the time of one request may not be busy with others.
        return {"count": 1000, "interval": 0.05 if "rtt" in written else 0.01, **written}

    @property
    def bounded(self) -> bool:
        """Return whether as many requests are sent as it takes to be sure of a bound."""
        return self.loss is not None or self.rtt is not None

    @property
    def namespaces(self) -> dict[str, str]:
        """Return the namespaces that it names, by key; the first asks."""
        return {"from": self.from_}


class Nc(Model):
    """Data through a TCP or UDP connection between two namespaces, compared byte for byte."""

    ANSWERS: ClassVar[tuple[Expectation, ...]] = ("delivered", "not-delivered", "not-sent")

    from_: NamespaceName = Field(alias="from", description="The namespace of the client.", examples=["siteA"])
    to: NamespaceName = Field(description="The namespace of the server.", examples=["siteB"])
    server: bool = Field(True, description="false: the server is a program that runs there already.")
    address: HostField = Field(description="The address that the server listens on.", examples=["10.0.102.1"])
    port: Port = Field(description="The port that the server listens on.", examples=[8000])
    protocol: Literal["tcp", "udp"] = Field("tcp", description="The transport.")
    send: str = Field("Hello World", min_length=1, max_length=65000, description="What the client sends.")
    reply: str | None = Field(None, min_length=1, max_length=65000, description="What the server answers, if it does.")
    timeout: Seconds = Field(3.0, gt=0, le=60, description="Seconds until it counts as not delivered.")

    @property
    def namespaces(self) -> dict[str, str]:
        """Return the namespaces that it names, by key; the first asks."""
        return {"from": self.from_, "to": self.to}


Probe = Ping | Nc | Exec | Http | Dns | RouteLookup | Throughput
"""What a check asks: exactly one of these."""

PROBES = ("ping", "nc", "exec", "http", "dns", "route", "throughput")
"""The keys of a check that ask something."""


class Check(Model):
    """What must be observed, and where the packets must be counted."""

    name: CheckName = Field(description="The name of the check.", examples=["own-tun-address"])
    description: str = Field("", description="What it shows, for a person.")
    ping: Ping | None = Field(None, description="Send echo requests.")
    nc: Nc | None = Field(None, description="Send data.")
    exec: Exec | None = Field(None, description="Run a command.")
    http: Http | None = Field(None, description="Ask a web server.")
    dns: Dns | None = Field(None, description="Ask a name server.")
    route: RouteLookup | None = Field(None, description="Ask the kernel where it would send a packet.")
    throughput: Throughput | None = Field(None, description="Send as much data as will go through.")
    expect: Expectation | None = Field(
        None,
        description="reply (the default) or no-reply for ping, http and dns; delivered (the default) or "
        "not-delivered for nc; not-sent for all of these and route: the sender's own kernel refuses at once.",
    )
    crosses: tuple[InterfaceRefField, ...] = Field(
        (), description="The way of the packets: out of the first, in at the second, out of the third...; counted."
    )
    quiet: tuple[InterfaceRefField, ...] = Field((), description="Interfaces on which no packet may be counted.")
    needs: tuple[CheckName, ...] = Field(
        (), description="Checks without which this one shows nothing: it is asked only if they pass."
    )
    wait: Seconds = Field(0.0, ge=0, le=600, description="Seconds for which it is tried again until it holds.")
    pass_: str = Field("", alias="pass", description="What to say when it holds.")
    fail: str = Field("", description="What to say when it does not.")

    @property
    def probes(self) -> dict[str, Probe]:
        """Return all that is asked, by key; the rules of the file demand exactly one."""
        return {key: probe for key in PROBES if (probe := getattr(self, key)) is not None}

    @property
    def kind(self) -> str:
        """Return the key of what it asks: ping, nc..."""
        (kind,) = self.probes
        return kind

    @property
    def probe(self) -> Probe:
        """Return what it asks."""
        (probe,) = self.probes.values()
        return probe

    def asking(self, probe: Probe) -> Check:
        """Return the same check with another probe of its kind."""
        return self.model_copy(update={self.kind: probe})
