"""The ways of the packets of a lab's checks, for faults that are placed along them.

A fault is at a stage of the way of a check (diagnosis/path.py): so which check it makes fail is known beforehand, and
it fits every lab that has such a stage, whatever its names and addresses.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cached_property
from ipaddress import ip_address, ip_network

from labctl.diagnosis.asked import asked_of
from labctl.diagnosis.path import Asked, Kind, Paths, Stage
from labctl.frozen import frozen
from labctl.plan.desired_routes import route_of
from labctl.plan.routes import Route
from labctl.topology.model import Bridge, Check, Topology, Tun, TunnelEndpoint, Veth
from labctl.topology.values import Host, Prefix

_NAME_SERVER = re.compile(r"^nameserver\s+([0-9a-f.:]+)", re.MULTILINE)
"""resolv.conf(5)."""


@frozen
class Way:
    """The way of the packets of a check that expects an answer, there and back, stage by stage."""

    check: Check
    asked: Asked
    stages: tuple[Stage, ...]

    def of(self, *kinds: Kind, back: bool | None = None, depth: int | None = None) -> Iterator[Stage]:
        """Yield its stages of some kinds: all, or those of one direction, or of one depth of tunnels."""
        for stage in self.stages:
            if stage.kind in kinds and back in (None, stage.back) and depth in (None, stage.depth):
                yield stage

    @property
    def stays(self) -> bool:
        """Return whether its packets stay in one namespace."""
        return len({stage.namespace for stage in self.stages}) == 1

    @property
    def is_tunnelled(self) -> bool:
        """Return whether an engine carries its packets."""
        return any(stage.depth for stage in self.stages)


class Layout:
    """A topology, and the ways of its checks."""

    def __init__(self, topology: Topology) -> None:
        self.topology = topology

    @cached_property
    def all_ways(self) -> tuple[Way, ...]:
        """The ways of the checks that expect an answer, in the order of the file."""
        return tuple(self._ways())

    @property
    def local(self) -> tuple[Way, ...]:
        """Those whose packets stay in one namespace."""
        return tuple(way for way in self.all_ways if way.stays)

    @property
    def between(self) -> tuple[Way, ...]:
        """Those between two namespaces."""
        return tuple(way for way in self.all_ways if not way.stays)

    @property
    def pings(self) -> tuple[Way, ...]:
        """Those of pings between two namespaces."""
        return tuple(way for way in self.between if way.check.ping)

    @property
    def ways(self) -> tuple[Way, ...]:
        """Those of pings between two namespaces, which fail at once; where there are none, those of other checks."""
        return self.pings or self.between

    def _ways(self) -> Iterator[Way]:
        paths = Paths(self.topology)
        for check in map(self._with_server, self.topology.checks):
            asked = asked_of(check, paths) if check.ping or check.nc or (check.dns and check.dns.server) else None
            if asked is None or asked.measured or not asked.answered or check.needs:
                continue
            stages = paths.stages(asked)
            if stages and all(stage.by_file for stage in stages) and not self._may_be_translated(check, stages):
                yield Way(check, asked, stages)

    def _with_server(self, check: Check) -> Check:
        """Return a check that asks a name server, with that of the file: nothing is looked up in a lab that runs."""
        if check.dns is None or check.dns.server:
            return check
        file = self.topology.namespaces[check.dns.from_].files.get("/etc/resolv.conf")
        named = _NAME_SERVER.search(file.content or "") if file else None
        server = ip_address(named[1]) if named else None
        return check.asking(check.dns.replace(server=server))

    def _may_be_translated(self, check: Check, stages: tuple[Stage, ...]) -> bool:
        """Return whether a ruleset may send on what comes to a port, so that the file does not show its way."""
        ends = (stage.namespace for stage in stages if stage.kind is Kind.DELIVER and not stage.back)
        return not check.ping and any("nat" in (self.topology.namespaces[end].nft or "") for end in ends)

    def is_cable(self, stage: Stage) -> bool:
        """Return whether the interface of a stage is an end of a cable."""
        return isinstance(self._interface(stage), Veth)

    def is_tun(self, stage: Stage) -> bool:
        """Return whether the interface of a stage is a TUN device."""
        return isinstance(self._interface(stage), Tun)

    def _interface(self, stage: Stage) -> object:
        return self.topology.namespaces[stage.namespace].interfaces.get(stage.ref.interface)

    def bridge(self, stage: Stage) -> str:
        """Return the bridge of which the interface of a stage is a port; empty where it is none."""
        for name, interface in self.topology.namespaces[stage.namespace].interfaces.items():
            if isinstance(interface, Bridge) and stage.ref.interface in interface.ports:
                return name
        return ""

    def endpoint(self, stage: Stage) -> TunnelEndpoint:
        """Return the tunnel endpoint whose TUN device the interface of a stage is."""
        return next(endpoint for endpoint in self.topology.ttun if endpoint.device == stage.ref)

    def addresses(self, namespace: str, interface: str) -> tuple[Prefix, ...]:
        """Return the addresses of an interface."""
        return tuple(self.topology.namespaces[namespace].interfaces[interface].addresses)

    def owned(self, namespace: str, address: Host) -> tuple[str, Prefix] | None:
        """Return the interface of a namespace that has an address, and that with its prefix length."""
        for name, interface in self.topology.namespaces[namespace].interfaces.items():
            for own in interface.addresses:
                if own.ip == address:
                    return name, own
        return None

    def routes(self, namespace: str) -> tuple[Route, ...]:
        """Return the static routes of a namespace."""
        return tuple(map(route_of, self.topology.namespaces[namespace].routes))

    def route(self, stage: Stage) -> Route | None:
        """Return the static route that takes a packet at a stage, where it is the only one that leads there at all."""
        leading = [route for route in self.routes(stage.namespace) if stage.flow.to in ip_network(route.to)]
        near = any(
            stage.flow.to in own.network
            for interface in self.topology.namespaces[stage.namespace].interfaces.values()
            for own in interface.addresses
        )
        return leading[0] if len(leading) == 1 and not near else None

    def into_tunnels(self) -> Iterator[tuple[Way, Stage, Route, Host]]:
        """Yield the ways whose first stage is a route into a tunnel, with both, and the address it is bound to."""
        for way in self.ways:
            first = way.stages[0]
            route = self.route(first)
            if route is not None and self.is_tun(first):
                yield way, first, route, self.endpoint(first).bind.host

    def routes_by(self, namespace: str, interface: str) -> tuple[Route, ...]:
        """Return the static routes of a namespace that lead out by an interface: those that go down with it."""
        near = [own.network for own in self.addresses(namespace, interface)]
        return tuple(
            route
            for route in self.routes(namespace)
            if route.dev == interface or (route.via and any(ip_address(route.via) in network for network in near))
        )
