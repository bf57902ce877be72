"""Addresses and MACs that conflict: the same one in two places where a packet could mean either.

Parts of a file that are not connected may use the same private network, as two independent sites do. An address in two
places is a mistake where

- both are in one namespace, or in two that a cable, a bridge or a tunnel joins: each takes the address as its own, so
  what the one sends from it the other never answers;
- a namespace has routes by which a packet to it comes to the one, and routes by which it comes to the other.

A link-local IPv6 address is meant within a broadcast domain (RFC 4291), so it stands once in each. So does a MAC, but
that a bridge may have the one of a port, as it has by itself.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator, Mapping

from labctl.topology.interface_ref import InterfaceRef
from labctl.topology.model import Bridge, Topology
from labctl.topology.paths import Path
from labctl.topology.routing import LOOPBACK
from labctl.topology.rules.finding import Finding
from labctl.topology.segments import Segment, Segments
from labctl.topology.values import Host
from labctl.topology.ways import Ways

_Place = tuple[InterfaceRef, Path]
_Scopes = Mapping[Hashable, str]
"""In what a value stands once, each scope with the words that say what two places in it share."""
_Joints = Mapping[str, _Scopes]
"""By namespace, what joins it directly to others."""


def of_addresses(topology: Topology, segments: Segments, ways: Ways) -> Iterator[Finding]:
    """Yield what is wrong with the IP addresses of a topology."""
    places: dict[Host, list[_Place]] = defaultdict(list)
    for where, namespace in topology.namespaces.items():
        for name, interface in namespace.interfaces.items():
            for index, own in enumerate(interface.addresses):
                ref, path = InterfaceRef(where, name), ("namespaces", where, "interfaces", name, "addresses", index)
                places[own.ip].append((ref, path))
                if own.version == 6 and own.is_loopback and name != LOOPBACK:
                    yield Finding(path, f"the loopback address {own.ip} cannot be on {ref}", "it belongs to 'lo'")
    repeated = {address: having for address, having in places.items() if len(having) > 1}
    joints = _joints(topology, segments, ways) if repeated else {}
    parts = list(_connected(joints))
    for address, having in repeated.items():
        scopes = {ref: _scopes(address, ref, segments, joints) for ref, _ in having}
        met = list(_met("address", address, having, scopes))
        yield from met
        if not _of_a_link(address):
            yield from _routed_to_both(address, having, {finding.path for finding in met}, parts, ways)


def of_macs(topology: Topology, segments: Segments) -> Iterator[Finding]:
    """Yield every MAC that is in a broadcast domain twice."""
    places: dict[str, list[_Place]] = defaultdict(list)
    scopes: dict[InterfaceRef, _Scopes] = {}
    for where, namespace in topology.namespaces.items():
        for name, interface in namespace.interfaces.items():
            mac, ref = getattr(interface, "mac", None), InterfaceRef(where, name)
            ports = interface.ports if isinstance(interface, Bridge) else ()
            if mac and not any(getattr(namespace.interfaces.get(port), "mac", None) == mac for port in ports):
                places[mac].append((ref, ("namespaces", where, "interfaces", name, "mac")))
                scopes[ref] = {segments.of(ref): ", in the same broadcast domain"}
    for mac, having in places.items():
        yield from _met("MAC", mac, having, scopes)


def _met(
    kind: str, value: Host | str, having: Iterable[_Place], scopes: Mapping[InterfaceRef, _Scopes]
) -> Iterator[Finding]:
    """Yield every place that shares a scope with one before it."""
    first: dict[Hashable, InterfaceRef] = {}
    for ref, path in having:
        shared = next((scope for scope in scopes[ref] if scope in first), None)
        if shared is not None:
            said = f"the {kind} {value} is on {first[shared]} already{scopes[ref][shared]}"
            yield Finding(path, said, f"give one of them another {kind}")
        for scope in scopes[ref]:
            first.setdefault(scope, ref)


def _of_a_link(address: Host) -> bool:
    """Return whether an address is the same on many links by its definition (RFC 1122, RFC 4291)."""
    return address.is_loopback or (address.version == 6 and address.is_link_local)


def _scopes(address: Host, ref: InterfaceRef, segments: Segments, joints: _Joints) -> _Scopes:
    if _of_a_link(address):
        return {ref: "", segments.of(ref): ", in the same broadcast domain"}
    return {ref.namespace: "", **joints[ref.namespace]}


def _joints(topology: Topology, segments: Segments, ways: Ways) -> dict[str, dict[Hashable, str]]:
    joints: dict[str, dict[Hashable, str]] = {name: {} for name in topology.namespaces}
    for segment in segments:
        for name in segment.namespaces:
            joints[name][segment] = f", and {_described(topology, segment)} joins them"
    for device in ways.of_tunnels:
        far = ways.far_end(device)
        if far is not None:
            for name in (device.namespace, far.namespace):
                joints[name][device, far] = f", and the tunnel of {device} and {far} joins them"
    return joints


def _described(topology: Topology, segment: Segment) -> str:
    for ref in segment.interfaces:
        if isinstance(topology.namespaces[ref.namespace].interfaces[ref.interface], Bridge):
            return f"the bridge {ref}"
    return f"the cable of {' and '.join(map(str, segment.interfaces))}"


def _connected(joints: _Joints) -> Iterator[Mapping[str, None]]:
    """Yield the namespaces in parts that nothing joins to each other, in the order of the file."""
    members: dict[Hashable, list[str]] = defaultdict(list)
    for name, scopes in joints.items():
        for scope in scopes:
            members[scope].append(name)
    seen: set[str] = set()
    for start in joints:
        part, ahead = set(), [start]
        while ahead:
            name = ahead.pop()
            if name not in seen:
                seen.add(name)
                part.add(name)
                ahead += (other for scope in joints[name] for other in members.pop(scope, ()))
        if part:
            yield dict.fromkeys(name for name in joints if name in part)


def _routed_to_both(
    address: Host, having: Iterable[_Place], known: set[Path], parts: Iterable[Mapping[str, None]], ways: Ways
) -> Iterator[Finding]:
    """Yield every place that a namespace has a way to, and has one to a place before it, too."""
    for part in parts:
        here = [place for place in having if place[0].namespace in part]
        if len(here) < 2:
            continue
        for name in part:
            ends = ways.ends(name, address)
            reached = [place for place in here if place[0].namespace in ends]
            for _, path in reached[1:]:
                if path not in known:
                    known.add(path)
                    what = f"the address {address} is on {reached[0][0]} already, and {name!r} has routes to both"
                    yield Finding(path, what, "give one of them another address, or leave a route out")
