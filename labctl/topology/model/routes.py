"""Routes and the rules of the routing policy, as ip-route(8) and ip-rule(8) have them."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from labctl.topology.fields import NUMBER, HostField, InterfaceName, IpProtocol, Mark, NetworkField, Ports, Table, Whole
from labctl.topology.model.base import Model

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


def default_means_any(value: Any) -> Any:
    """Return a route with `to: default` written out in the IP version of `via`, as with ip(8)."""
    if isinstance(value, dict) and value.get("to") == "default":
        hops = value.get("nexthops")
        first = hops[0] if isinstance(hops, list) and hops and isinstance(hops[0], dict) else value
        return {**value, "to": "::/0" if ":" in str(first.get("via", "")) else "0.0.0.0/0"}
    return value
