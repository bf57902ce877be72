"""Routes and the rules of the routing policy, as ip-route(8) and ip-rule(8) have them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from labctl.topology.model.base import Model, key

if TYPE_CHECKING:
    from labctl.topology.fields import HostField, InterfaceName, IpProtocol, Mark, NetworkField, Ports, Table, Whole

RouteType = Literal["unicast", "blackhole", "unreachable", "prohibit", "throw"]
RuleType = Literal["unicast", "blackhole", "unreachable", "prohibit"]


class NextHop(Model, called="a next hop"):
    """One of several next hops of a route."""

    via: HostField | None = key(default=None, description="The neighbour that forwards.", examples=["192.0.2.2"])
    dev: InterfaceName | None = key(default=None, description="The interface to leave through.")
    weight: Whole = key(default=1, ge=1, le=256, description="How often it is taken, in relation to the others.")
    onlink: bool = key(default=False, description="The next hop is behind `dev`, though no network there has it.")


class Route(Model, called="a route"):
    """A route of a namespace, as `ip route add` takes it."""

    to: NetworkField = key(description="The destination.", examples=["10.0.2.0/24"])
    type: RouteType = key(
        default="unicast", description="unicast, or how a packet is refused; throw: by the next rule."
    )
    via: HostField | None = key(default=None, description="The next hop; that of an IPv4 route may be an IPv6 address.")
    dev: InterfaceName | None = key(default=None, description="The interface to leave through.")
    nexthops: tuple[NextHop, ...] = key(default=(), description="Several next hops, in place of via and dev.")
    onlink: bool = key(default=False, description="The next hop is behind `dev`, though no network there has it.")
    src: HostField | None = key(default=None, description="The source address of packets that are sent from here.")
    table: Table = key(default="main", description="The table that it is in: a number, main, local or default.")
    metric: Whole | None = key(default=None, ge=0, le=2**32 - 1, description="The lower of two metrics wins.")
    mtu: Whole | None = key(default=None, ge=68, le=65520, description="Largest packet on this way in bytes.")
    window: Whole | None = key(default=None, ge=1, le=2**32 - 1, description="Largest TCP window announced, in bytes.")
    advmss: Whole | None = key(default=None, ge=1, le=65495, description="The TCP MSS that is announced, in bytes.")
    hoplimit: Whole | None = key(default=None, ge=1, le=255, description="TTL or hop limit of packets that are sent.")
    initcwnd: Whole | None = key(
        default=None, ge=1, le=2**32 - 1, description="TCP's first congestion window, in segments."
    )
    initrwnd: Whole | None = key(
        default=None, ge=1, le=2**32 - 1, description="TCP's first receive window, in segments."
    )

    @classmethod
    def in_full(cls, written: Any) -> Any:
        """Return a route with `to: default` written out in the IP version of `via`, as with ip(8)."""
        if isinstance(written, dict) and written.get("to") == "default":
            hops = written.get("nexthops")
            first = hops[0] if isinstance(hops, list) and hops and isinstance(hops[0], dict) else written
            return {**written, "to": "::/0" if ":" in str(first.get("via", "")) else "0.0.0.0/0"}
        return written


METRICS = ("mtu", "window", "advmss", "hoplimit", "initcwnd", "initrwnd")
"""What a route can say of its path, in the order of linux/rtnetlink.h: RTAX_*."""


class Rule(Model, called="a rule"):
    """A rule of the routing policy, as `ip rule add` takes it: which packets are looked up in which table."""

    priority: Whole = key(
        ge=0, le=2**32 - 1, description="The lower comes first; main is looked up at 32766.", examples=[100]
    )
    family: Literal["inet", "inet6"] | None = key(
        default=None, description="inet6 for IPv6; where absent that of `from` or `to`, else inet."
    )
    type: RuleType = key(default="unicast", description="unicast: look the packet up in `table`; or how it is refused.")
    not_: bool = key(default=False, description="Takes the packets that do not match.")
    from_: NetworkField | None = key(default=None, description="The network of the source address.")
    to: NetworkField | None = key(default=None, description="The network of the destination address.")
    iif: InterfaceName | None = key(
        default=None, description="The interface of arrival; lo for what is sent from here."
    )
    oif: InterfaceName | None = key(default=None, description="The interface that the sender's socket is bound to.")
    fwmark: Mark | None = key(default=None, description="The mark that a firewall or a socket has put on the packet.")
    ipproto: IpProtocol | None = key(default=None, description="The protocol.", examples=["udp"])
    sport: Ports | None = key(default=None, description="The source port, or a range of them.")
    dport: Ports | None = key(default=None, description="The destination port, or a range of them.")
    table: Table | None = key(default=None, description="The table to look in, main where absent.")
    suppress_prefixlength: Whole | None = key(
        default=None, ge=0, le=128, description="What is found counts only where its prefix is longer than this."
    )

    @property
    def version(self) -> int:
        """Return the IP version of the packets that it matches."""
        network = self.from_ or self.to
        if self.family is None and network is not None:
            return network.version
        return 6 if self.family == "inet6" else 4
