"""The checks: what is asked, and what must be observed and counted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

from labctl.topology.model.base import Model, key
from labctl.topology.model.bounds import LossBounds, RttBounds
from labctl.topology.model.probes import Dns, Exec, Expectation, Http, RouteLookup
from labctl.topology.model.throughput import Throughput

if TYPE_CHECKING:
    from labctl.topology.fields import CheckName, HostField, InterfaceRefField, NamespaceName, Port, Seconds, Whole


class Ping(Model, called="a ping"):
    """ICMP echo requests from a namespace to an address."""

    ANSWERS: ClassVar[tuple[Expectation, ...]] = ("reply", "no-reply", "not-sent")

    from_: NamespaceName = key(description="The namespace that sends.", examples=["siteA"])
    to: HostField = key(description="The address that is pinged.", examples=["10.0.102.1"])
    count: Whole = key(
        default=3,
        ge=1,
        le=10_000,
        description="How many requests are sent; with bounds at most, and 1000 where absent.",
    )
    size: Whole = key(default=56, ge=0, le=65000, description="Payload of each request in bytes, as ping -s.")
    interval: Seconds = key(
        default=0.05, ge=0.002, le=60, description="Seconds between two requests; with loss alone 0.01 where absent."
    )
    timeout: Seconds = key(
        default=1.0, gt=0, le=60, description="Seconds to wait for the replies after the last request."
    )
    loss: LossBounds | None = key(default=None, description="How many may get no reply; none where absent.")
    rtt: RttBounds | None = key(default=None, description="How long the round trip to a reply may take.")

    @classmethod
    def in_full(cls, written: Any) -> Any:
        """Return a ping with as many requests as bounds take, where their number is not written."""
        bounds = [each for each in ("loss", "rtt") if isinstance(written, dict) and written.get(each) is not None]
        if not bounds:
            return written
        # What takes the time of one request may not be busy with others.
        return {"count": 1000, "interval": 0.05 if "rtt" in bounds else 0.01, **written}

    @property
    def bounded(self) -> bool:
        """Return whether as many requests are sent as it takes to be sure of a bound."""
        return self.loss is not None or self.rtt is not None

    @property
    def namespaces(self) -> dict[str, str]:
        """Return the namespaces that it names, by key; the first asks."""
        return {"from": self.from_}


class Nc(Model, called="an nc"):
    """Data through a TCP or UDP connection between two namespaces, compared byte for byte."""

    ANSWERS: ClassVar[tuple[Expectation, ...]] = ("delivered", "not-delivered", "not-sent")

    from_: NamespaceName = key(description="The namespace of the client.", examples=["siteA"])
    to: NamespaceName = key(description="The namespace of the server.", examples=["siteB"])
    server: bool = key(default=True, description="false: the server is a program that runs there already.")
    address: HostField = key(description="The address that the server listens on.", examples=["10.0.102.1"])
    port: Port = key(description="The port that the server listens on.", examples=[8000])
    protocol: Literal["tcp", "udp"] = key(default="tcp", description="The transport.")
    send: str = key(default="Hello World", min_length=1, max_length=65000, description="What the client sends.")
    reply: str | None = key(
        default=None, min_length=1, max_length=65000, description="What the server answers, if it does."
    )
    timeout: Seconds = key(default=3.0, gt=0, le=60, description="Seconds until it counts as not delivered.")

    @property
    def namespaces(self) -> dict[str, str]:
        """Return the namespaces that it names, by key; the first asks."""
        return {"from": self.from_, "to": self.to}


Probe = Ping | Nc | Exec | Http | Dns | RouteLookup | Throughput
"""What a check asks: exactly one of these."""

PROBES = ("ping", "nc", "exec", "http", "dns", "route", "throughput")
"""The keys of a check that ask something."""


class Check(Model, called="a check"):
    """What must be observed, and where the packets must be counted."""

    name: CheckName = key(description="The name of the check.", examples=["own-tun-address"])
    description: str = key(default="", description="What it shows, for a person.")
    ping: Ping | None = key(default=None, description="Send echo requests.")
    nc: Nc | None = key(default=None, description="Send data.")
    exec: Exec | None = key(default=None, description="Run a command.")
    http: Http | None = key(default=None, description="Ask a web server.")
    dns: Dns | None = key(default=None, description="Ask a name server.")
    route: RouteLookup | None = key(default=None, description="Ask the kernel where it would send a packet.")
    throughput: Throughput | None = key(default=None, description="Send as much data as will go through.")
    expect: Expectation | None = key(
        default=None,
        description="reply (the default) or no-reply for ping, http and dns; delivered (the default) or "
        "not-delivered for nc; not-sent for all of these and route: the sender's own kernel refuses at once.",
    )
    crosses: tuple[InterfaceRefField, ...] = key(
        default=(),
        description="The way of the packets: out of the first, in at the second, out of the third...; counted.",
    )
    quiet: tuple[InterfaceRefField, ...] = key(default=(), description="Interfaces on which no packet may be counted.")
    needs: tuple[CheckName, ...] = key(
        default=(), description="Checks without which this one shows nothing: it is asked only if they pass."
    )
    wait: Seconds = key(default=0.0, ge=0, le=600, description="Seconds for which it is tried again until it holds.")
    pass_: str = key(default="", description="What to say when it holds.")
    fail: str = key(default="", description="What to say when it does not.")

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
        return self.replace(**{self.kind: probe})
