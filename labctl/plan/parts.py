"""A lab over several hosts as one topology for each of them: its part.

A part is made as any topology is on one machine. What of the lab is on other hosts reaches into it in four ways:

- The end of a cable to another host is a TAP device here, with all that the veth has. An engine carries its frames to
  the other end (`CableEnd`).
- The names of the lab in hosts files are those of all namespaces.
- The MTU of a tunnel, where the file names none, is that of the whole way of its datagrams.
- A check is asked here where all that it names is here; the others are asked by who sees all hosts.

What must hold between the values of a topology is asked of the whole, not of its parts.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from labctl.plan.mtu import DEFAULT_MTU, SMALLEST, Mtus
from labctl.topology.cables import Cable, address_of_host, cables_of, host_of
from labctl.topology.hosts_lines import hosts_lines
from labctl.topology.interface_ref import InterfaceRef
from labctl.topology.model import CableEnd, Check, Interface, Part, Tap, Topology, Veth
from labctl.topology.routed import Routed
from labctl.topology.segments import Segment, Segments


def parts(topology: Topology) -> dict[str, Topology]:
    """Return the part of each host that a namespace is on, by the name of the host, in the order of `hosts`.

    Of a topology without mistakes that has hosts. Where all of it is on one, the part is a lab on one machine.
    """
    used = {host_of(topology, name) for name in topology.namespaces}
    hosts = [host for host in topology.hosts if host in used]
    if len(hosts) == 1:
        return {hosts[0]: _of_no_host(topology)}
    cables, names = cables_of(topology), hosts_lines(topology) if topology.hosts_file else {}
    whole = _with_mtus(topology, Mtus(Routed.of(topology)).derived)
    return {host: _part(whole, host, cables, names) for host in hosts}


def fitted(topology: Topology, carried: Mapping[str, int]) -> Topology:
    """Return a topology whose cables between hosts are no wider than what goes from host to host in one datagram.

    `carried` is the largest packet in bytes that a cable carries so, by the name of the cable. It becomes the MTU of
    the whole broadcast domain of the cable, for what is narrower in the midst of one loses packets; but not where the
    file names an MTU in there: that is kept, and larger frames travel in several datagrams.
    """
    asked: dict[InterfaceRef, int] = {}
    cables = cables_of(topology)
    for segment in Segments(topology):
        found = [carried[str(cable)] for cable in cables if cable.one in segment and str(cable) in carried]
        if found and not any(_interface(topology, ref).mtu for ref in segment.interfaces):
            mtu = max(min(*found, DEFAULT_MTU["veth"]), _smallest(topology, segment))
            asked |= {ref: mtu for ref in segment.interfaces if _interface(topology, ref).kind != "bridge"}
    return _with_mtus(topology, asked)


def _interface(topology: Topology, ref: InterfaceRef) -> Interface:
    return topology.namespaces[ref.namespace].interfaces[ref.interface]


def _smallest(topology: Topology, segment: Segment) -> int:
    """Return the smallest MTU that the addresses in a broadcast domain allow."""
    addresses = (address for ref in segment.interfaces for address in _interface(topology, ref).addresses)
    return max((SMALLEST[address.version] for address in addresses), default=SMALLEST[4])


def _with_mtus(topology: Topology, mtus: Mapping[InterfaceRef, int]) -> Topology:
    spaces = {}
    for where, space in topology.namespaces.items():
        interfaces = {
            name: each.replace(mtu=mtus[ref]) if (ref := InterfaceRef(where, name)) in mtus else each
            for name, each in space.interfaces.items()
        }
        spaces[where] = space.replace(interfaces=interfaces)
    return topology.replace(namespaces=spaces)


def _of_no_host(topology: Topology) -> Topology:
    spaces = {name: space.replace(host=None) for name, space in topology.namespaces.items()}
    return topology.replace(namespaces=spaces, hosts={})


def _part(topology: Topology, host: str, cables: tuple[Cable, ...], names: Mapping[str, str]) -> Topology:
    own = {name for name in topology.namespaces if host_of(topology, name) == host}
    ends = tuple(_ends(topology, host, cables))
    taps = {end.device for end in ends}
    spaces = {}
    for where, space in topology.namespaces.items():
        if where in own:
            interfaces = {
                name: _tap(each) if InterfaceRef(where, name) in taps else each
                for name, each in space.interfaces.items()
            }
            spaces[where] = space.replace(host=None, interfaces=interfaces)
    return topology.replace(
        namespaces=spaces,
        hosts={},
        ttun=tuple(endpoint for endpoint in topology.ttun if endpoint.device.namespace in own),
        checks=tuple(_left(topology.checks, own)),
        part=Part(host=host, cables=ends, names={name: lines for name, lines in names.items() if name in own}),
    )


def _ends(topology: Topology, host: str, cables: tuple[Cable, ...]) -> Iterator[CableEnd]:
    for cable in cables:
        for own, peer in ((cable.one, cable.other), (cable.other, cable.one)):
            other = host_of(topology, peer.namespace)
            if host_of(topology, own.namespace) == host:
                assert other is not None, "each namespace of a lab over several hosts is on one"
                yield CableEnd(
                    device=own,
                    peer=peer,
                    cable=str(cable),
                    host=other,
                    mtu=_interface(topology, own).mtu,
                    ports=topology.hosts[host].ports,
                    address=address_of_host(topology, host),
                )


def _tap(veth: Interface) -> Tap:
    assert isinstance(veth, Veth), "a cable joins two veths"
    return Tap(kind="tap", owner=None, addresses=veth.addresses, mtu=veth.mtu, mac=veth.mac, impair=veth.impair)


def _left(checks: tuple[Check, ...], own: set[str]) -> Collection[Check]:
    """Return the checks that name namespaces of a host alone, and need none but such."""
    left = {check.name: check for check in checks if _named(check) <= own}
    while lost := [name for name, check in left.items() if not left.keys() >= {*check.needs}]:
        for name in lost:
            del left[name]
    return left.values()


def _named(check: Check) -> set[str]:
    return {*check.probe.namespaces.values(), *(ref.namespace for ref in (*check.crosses, *check.quiet))}
