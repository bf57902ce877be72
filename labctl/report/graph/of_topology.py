"""What a picture shows of a topology file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from labctl.report.graph.model import Cable, Engine, Interface, Namespace, Picture, Tunnel
from labctl.topology import model
from labctl.topology.cables import host_of
from labctl.topology.interface_ref import InterfaceRef
from labctl.topology.model import Topology
from labctl.topology.routing import fibs_of
from labctl.topology.segments import Segments
from labctl.topology.ways import Ways, forwards


def of_topology(topology: Topology) -> Picture:
    """Return what a picture shows of a topology."""
    engines = {endpoint.device: _engine(endpoint) for endpoint in topology.ttun}
    cables = tuple(_cables(topology))
    return Picture(
        topology.name,
        topology.description,
        tuple(_namespace(topology, name, engines) for name in topology.namespaces),
        cables,
        tuple(_tunnels(topology, {end for cable in cables for end in cable.ends})),
    )


def _namespace(topology: Topology, name: str, engines: Mapping[InterfaceRef, Engine]) -> Namespace:
    space = topology.namespaces[name]
    masters = {
        port: bridge
        for bridge, interface in space.interfaces.items()
        if isinstance(interface, model.Bridge)
        for port in interface.ports
    }
    interfaces = tuple(
        Interface(
            InterfaceRef(name, own),
            interface.kind,
            tuple(map(str, interface.addresses)),
            masters.get(own, ""),
            _impaired(interface.impair) if isinstance(interface, model.Veth | model.Tap) else "",
            engines.get(InterfaceRef(name, own)),
        )
        for own, interface in space.interfaces.items()
    )
    passes_on = any(forwards(space, own, version) for own in space.interfaces for version in (4, 6))
    return Namespace(name, interfaces, passes_on, host=host_of(topology, name) or "")


def _engine(endpoint: model.TunnelEndpoint) -> Engine:
    written = {"out": _impaired(endpoint.impair), "in": _impaired(endpoint.impair_in)}
    return Engine(
        str(endpoint.bind),
        str(endpoint.peer),
        endpoint.engine.command if endpoint.engine else "",
        tuple(f"{direction} {words}" for direction, words in written.items() if words),
    )


def _impaired(written: model.Impair | None) -> str:
    return "" if written is None or written.impairment.is_none else str(written.impairment)


def _cables(topology: Topology) -> Iterator[Cable]:
    """Yield every veth pair once, from the end that stands first in the file."""
    seen: set[InterfaceRef] = set()
    for name, space in topology.namespaces.items():
        for own, interface in space.interfaces.items():
            here = InterfaceRef(name, own)
            if isinstance(interface, model.Veth) and here not in seen:
                seen |= {here, interface.peer}
                yield Cable(here, interface.peer)


def _tunnels(topology: Topology, ends_of_cables: set[InterfaceRef]) -> Iterator[Tunnel]:
    """Yield the tunnels: one for two endpoints whose datagrams take the same way to each other, else one for each."""
    ways = Ways(topology, fibs_of(topology), Segments(topology))
    passed = {device: tuple(_passed(device, ways, ends_of_cables)) for device in ways.of_tunnels}
    drawn: set[InterfaceRef] = set()
    for endpoint in topology.ttun:
        device = endpoint.device
        if device in drawn or device not in passed:
            continue
        far = ways.far_end(device)
        both = far is not None and ways.far_end(far) == device and set(passed[far]) == set(passed[device])
        drawn |= {device, far} if both and far is not None else {device}
        yield Tunnel(device, far, passed[device], both)


def _passed(device: InterfaceRef, ways: Ways, ends_of_cables: set[InterfaceRef]) -> Iterator[InterfaceRef]:
    """Yield the ends of cables on the way of a tunnel, and both ends of each tunnel that it leads into."""
    for ref in ways.of_tunnels[device].interfaces:
        if ref in ends_of_cables:
            yield ref
        elif ref in ways.of_tunnels:
            yield ref
            yield from (far for far in [ways.far_end(ref)] if far is not None)
