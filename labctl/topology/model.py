"""The topology file as types: what can be written, and nothing else.

The model says what a single value may be. What must hold between values (a peer that exists, an address that is used
once) is in `rules`; where a mistake stands in the file is in `load`. The JSON Schema that editors use is generated
from here. Lists are tuples and every model is frozen: a topology is read, never changed.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from labctl.engine.packets.impairment import Impairment
from labctl.topology.fields import (
    NUMBER,
    CheckName,
    Command,
    Corrupt,
    Delay,
    Directory,
    Duplicate,
    HostField,
    InterfaceName,
    InterfaceRefField,
    IpProtocol,
    Jitter,
    LabName,
    Loss,
    Mac,
    Mark,
    Mtu,
    NamespaceName,
    NetworkField,
    Port,
    Ports,
    PrefixField,
    Rate,
    Reorder,
    Seconds,
    Seed,
    SocketAddressField,
    SysctlValue,
    Table,
    UserName,
    Whole,
)
from labctl.topology.values import mistake


class Model(BaseModel):
    """The base of all: unknown keys are mistakes, values do not change."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


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


class Tun(_Interface):
    """A TUN device: IP packets to and from a program."""

    kind: Literal["tun"]
    owner: UserName | None = Field(None, description="The user who may attach to it without further rights.")


Interface = Annotated[Dummy | Veth | Bridge | Tun | Tap | Loopback, Field(discriminator="kind")]


RouteType = Literal["unicast", "blackhole", "unreachable", "prohibit", "throw"]
RuleType = Literal["unicast", "blackhole", "unreachable", "prohibit"]


class NextHop(Model):
    """One of several next hops of a route."""

    via: HostField | None = Field(None, description="The neighbour that forwards.", examples=["192.0.2.2"])
    dev: InterfaceName | None = Field(None, description="The interface to leave through.")
    weight: Whole = Field(1, ge=1, le=256, description="How often it is taken, in relation to the others.")
    onlink: bool = Field(False, description="The next hop is behind `dev`, though no network there has it.")


class Route(Model):
    """A route of a namespace, as `ip route add` takes it."""

    to: NetworkField = Field(description="The destination.", examples=["10.0.2.0/24"])
    type: RouteType = Field("unicast", description="unicast, or how a packet is refused; throw: by the next rule.")
    via: HostField | None = Field(None, description="The next hop; that of an IPv4 route may be an IPv6 address.")
    dev: InterfaceName | None = Field(None, description="The interface to leave through.")
    nexthops: tuple[NextHop, ...] = Field((), description="Several next hops, in place of via and dev.")
    onlink: bool = Field(False, description="The next hop is behind `dev`, though no network there has it.")
    src: HostField | None = Field(None, description="The source address of packets that are sent from here.")
    table: Table = Field("main", description="The table that it is in: a number, main, local or default.")
    metric: Annotated[int, Field(ge=0, le=2**32 - 1), NUMBER] | None = Field(
        None, description="The lower of two metrics wins."
    )
    mtu: Annotated[int, Field(ge=68, le=65520), NUMBER] | None = Field(
        None, description="Largest packet on this way in bytes."
    )
    window: Annotated[int, Field(ge=1, le=2**32 - 1), NUMBER] | None = Field(
        None, description="Largest TCP window announced, in bytes."
    )
    advmss: Annotated[int, Field(ge=1, le=65495), NUMBER] | None = Field(
        None, description="The TCP MSS that is announced, in bytes."
    )
    hoplimit: Annotated[int, Field(ge=1, le=255), NUMBER] | None = Field(
        None, description="TTL or hop limit of packets that are sent."
    )
    initcwnd: Annotated[int, Field(ge=1, le=2**32 - 1), NUMBER] | None = Field(
        None, description="TCP's first congestion window, in segments."
    )
    initrwnd: Annotated[int, Field(ge=1, le=2**32 - 1), NUMBER] | None = Field(
        None, description="TCP's first receive window, in segments."
    )


METRICS = ("mtu", "window", "advmss", "hoplimit", "initcwnd", "initrwnd")
"""What a route can say of its path, in the order of linux/rtnetlink.h: RTAX_*."""


class Rule(Model):
    """A rule of the routing policy, as `ip rule add` takes it: which packets are looked up in which table."""

    priority: Whole = Field(
        ge=0, le=2**32 - 1, description="The lower comes first; main is looked up at 32766.", examples=[100]
    )
    family: Literal["inet", "inet6"] | None = Field(
        None, description="inet6 for IPv6; where absent that of `from` or `to`, else inet."
    )
    type: RuleType = Field("unicast", description="unicast: look the packet up in `table`; or how it is refused.")
    not_: bool = Field(False, alias="not", description="Takes the packets that do not match.")
    from_: NetworkField | None = Field(None, alias="from", description="The network of the source address.")
    to: NetworkField | None = Field(None, description="The network of the destination address.")
    iif: InterfaceName | None = Field(None, description="The interface of arrival; lo for what is sent from here.")
    oif: InterfaceName | None = Field(None, description="The interface that the sender's socket is bound to.")
    fwmark: Mark | None = Field(None, description="The mark that a firewall or a socket has put on the packet.")
    ipproto: IpProtocol | None = Field(None, description="The protocol.", examples=["udp"])
    sport: Ports | None = Field(None, description="The source port, or a range of them.")
    dport: Ports | None = Field(None, description="The destination port, or a range of them.")
    table: Table | None = Field(None, description="The table to look in, main where absent.")
    suppress_prefixlength: Annotated[int, Field(ge=0, le=128), NUMBER] | None = Field(
        None, description="What is found counts only where its prefix is longer than this."
    )

    @property
    def version(self) -> int:
        """Return the IP version of the packets that it matches."""
        network = self.from_ or self.to
        if self.family is None and network is not None:
            return network.version
        return 6 if self.family == "inet6" else 4


def _default_means_any(value: Any) -> Any:
    """Return a route with `to: default` written out in the IP version of `via`, as with ip(8)."""
    if isinstance(value, dict) and value.get("to") == "default":
        hops = value.get("nexthops")
        first = hops[0] if isinstance(hops, list) and hops and isinstance(hops[0], dict) else value
        return {**value, "to": "::/0" if ":" in str(first.get("via", "")) else "0.0.0.0/0"}
    return value


def _nothing_is_empty(value: Any) -> Any:
    return {} if value is None else value


class Namespace(Model):
    """A network namespace: interfaces, routes and sysctls of its own."""

    interfaces: dict[InterfaceName, Interface] = Field({}, description="Interfaces by name.")
    routes: tuple[Annotated[Route, BeforeValidator(_default_means_any)], ...] = Field((), description="Static routes.")
    rules: tuple[Rule, ...] = Field((), description="Rules that say which packets are looked up in which table.")
    sysctls: dict[str, SysctlValue] = Field({}, description="Settings below net., for example net.ipv4.ip_forward: 1.")


class Impair(Model):
    """What packets suffer, in the words of tc netem."""

    delay: Delay | None = Field(None, description="How long every packet takes.")
    jitter: Jitter | None = Field(None, description="How far the delay varies, both ways; order stays.")
    loss: Loss | None = Field(None, description="The fraction that never arrives.")
    duplicate: Duplicate | None = Field(None, description="The fraction that arrives twice.")
    corrupt: Corrupt | None = Field(None, description="The fraction with one bit flipped behind the IP header.")
    reorder: Reorder | None = Field(None, description="The fraction that skips the delay and so overtakes.")
    rate: Rate | None = Field(None, description="Bits per second that the link carries.")
    seed: Seed | None = Field(None, description="Same seed, same packets: the same are lost.")

    @model_validator(mode="after")
    def _fits_together(self) -> Impair:
        try:
            _ = self.impairment
        except ValueError as error:
            raise mistake(str(error)) from None
        return self

    @property
    def impairment(self) -> Impairment:
        """Return the numbers that are written here."""
        return Impairment.from_dict({word: value for word, value in self if value is not None})


class Program(Model):
    """A forwarder of your own in place of the built-in engine."""

    command: Command = Field(
        description="How it is started, in the namespace of the device and in its own words.",
        examples=["./my_ttun {device} {bind_address} {bind_port} {peer_address} {peer_port}"],
    )
    directory: Directory = Field(
        "", description="Where it runs, seen from the directory of the file; that itself where absent."
    )


class TunnelEndpoint(Model):
    """One end of a tunnel: the ttun engine between a TUN device and a UDP socket."""

    device: InterfaceRefField = Field(description="The TUN device that it serves.", examples=["siteA:tun0"])
    bind: SocketAddressField = Field(
        description="The UDP address that it binds, in the device's namespace.", examples=["10.0.1.1:9000"]
    )
    peer: SocketAddressField = Field(
        description="The UDP address of the other end; no other is listened to.", examples=["10.0.2.1:9000"]
    )
    verbose: bool = Field(False, description="Write a line for every packet to the log.")
    offload: bool = Field(True, description="Let the kernel hand over many packets at once, where it can.")
    too_big: Literal["fragment", "icmp"] = Field(
        "fragment", description="What a packet gets that is too large for the underlay: fragments, or ICMP's answer."
    )
    impair: Impair | None = Field(None, description="What packets suffer on their way out.")
    impair_in: Impair | None = Field(None, description="What packets suffer on their way in.")
    engine: Program | None = Field(None, description="Another program in place of the built-in engine.")


class Ping(Model):
    """ICMP echo requests from a namespace to an address."""

    from_: NamespaceName = Field(alias="from", description="The namespace that sends.", examples=["siteA"])
    to: HostField = Field(description="The address that is pinged.", examples=["10.0.102.1"])
    count: Whole = Field(3, ge=1, le=1000, description="How many requests are sent.")
    size: Whole = Field(56, ge=0, le=65000, description="Payload of each request in bytes, as ping -s.")
    interval: Seconds = Field(0.05, ge=0.002, le=60, description="Seconds between two requests.")
    timeout: Seconds = Field(1.0, gt=0, le=60, description="Seconds to wait for the replies after the last request.")


class Nc(Model):
    """Data through a TCP or UDP connection between two namespaces, compared byte for byte."""

    from_: NamespaceName = Field(alias="from", description="The namespace of the client.", examples=["siteA"])
    to: NamespaceName = Field(description="The namespace of the server.", examples=["siteB"])
    server: bool = Field(True, description="false: the server is a program that runs there already.")
    address: HostField = Field(description="The address that the server listens on.", examples=["10.0.102.1"])
    port: Port = Field(description="The port that the server listens on.", examples=[8000])
    protocol: Literal["tcp", "udp"] = Field("tcp", description="The transport.")
    send: str = Field("Hello World", min_length=1, max_length=65000, description="What the client sends.")
    reply: str | None = Field(None, min_length=1, max_length=65000, description="What the server answers, if it does.")
    timeout: Seconds = Field(3.0, gt=0, le=60, description="Seconds until it counts as not delivered.")


Expectation = Literal["reply", "no-reply", "delivered", "not-delivered", "not-sent"]


class Check(Model):
    """What must be observed, and where the packets must be counted."""

    name: CheckName = Field(description="The name of the check.", examples=["own-tun-address"])
    description: str = Field("", description="What it shows, for a person.")
    ping: Ping | None = Field(None, description="Send echo requests.")
    nc: Nc | None = Field(None, description="Send data.")
    expect: Expectation | None = Field(
        None,
        description="reply (the default) or no-reply for ping, delivered (the default) or not-delivered for nc; "
        "not-sent for both: the sender's own kernel refuses at once.",
    )
    crosses: tuple[InterfaceRefField, ...] = Field(
        (), description="The way of the packets: out of the first, in at the second, out of the third...; counted."
    )
    quiet: tuple[InterfaceRefField, ...] = Field((), description="Interfaces on which no packet may be counted.")
    wait: Seconds = Field(0.0, ge=0, le=600, description="Seconds for which it is tried again until it holds.")
    pass_: str = Field("", alias="pass", description="What to say when it holds.")
    fail: str = Field("", description="What to say when it does not.")


class Topology(Model):
    """A lab: namespaces, the tunnels between them, and the checks that prove it."""

    name: LabName = Field(description="The name of the lab.", examples=["two-site"])
    description: str = Field("", description="What it shows, for a person.")
    namespaces: dict[NamespaceName, Annotated[Namespace, BeforeValidator(_nothing_is_empty)]] = Field(
        min_length=1, description="Network namespaces by name.", examples=[{"siteA": {}}]
    )
    ttun: tuple[TunnelEndpoint, ...] = Field((), description="Tunnel endpoints.")
    checks: tuple[Check, ...] = Field((), description="What `labctl verify` proves.")


SCHEMA_ID = "urn:labctl:topology"


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of a topology file."""
    schema = Topology.model_json_schema(by_alias=True)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": SCHEMA_ID, **schema}
