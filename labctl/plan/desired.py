"""What a topology asks for: every step that makes the lab on a bare machine, in an order that the kernel accepts.

Namespaces, links, their properties, addresses, up, routes, files, engines, programs. It is worked out once, and whoever
plans, looks, shows or checks is handed it.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping

from labctl.engine.packets.address import Address
from labctl.engine.packets.impairment import Impairment
from labctl.frozen import frozen
from labctl.plan import settings, steps
from labctl.plan.cable_spec import CableSpec
from labctl.plan.desired_routes import route_of, rule_of
from labctl.plan.engine_spec import NO_IMPAIRMENT, EngineSpec
from labctl.plan.facts import Neighbour
from labctl.plan.firewall import Firewall
from labctl.plan.mtu import SMALLEST, Mtus
from labctl.plan.netem import as_kept
from labctl.plan.program_spec import ProgramSpec, Readiness, in_waves
from labctl.plan.recorded import Ran
from labctl.plan.sought import Sought, sought
from labctl.plan.steps import Step
from labctl.topology import model
from labctl.topology.hosts_file import HOSTS_FILE
from labctl.topology.hosts_lines import hosts_lines
from labctl.topology.interface_ref import InterfaceRef
from labctl.topology.model import Topology
from labctl.topology.program_ref import ProgramRef
from labctl.topology.routed import Routed
from labctl.topology.values import ENDPOINT_WORDS


@frozen
class Desired:
    """What a topology asks for."""

    topology: Topology
    steps: tuple[Step, ...]
    mtus: Mtus
    sought: Mapping[str, Sought]  # what is looked at in each namespace

    @classmethod
    def of(cls, routed: Routed) -> Desired:
        """Return what a topology asks for whose ways are known."""
        mtus = Mtus(routed)
        found = tuple(_steps(routed.topology, mtus))
        return cls(routed.topology, found, mtus, sought(routed.topology, found))


def desired(topology: Topology) -> Desired:
    """Return what a topology asks for."""
    return Desired.of(Routed.of(topology))


def _steps(topology: Topology, mtus: Mtus) -> Iterator[Step]:
    spaces = topology.namespaces.items()
    order = {name: place for place, name in enumerate(topology.namespaces)}
    for name, _ in spaces:
        yield steps.AddNamespace(name)
    # All settings first: a cable is created in two namespaces, and both of its ends inherit from theirs.
    for name, space in spaces:
        yield from _early_sysctls(name, space)
    for name, space in spaces:
        yield from _links(order, name, space)
    # Before any interface is up: no packet comes by beforehand.
    for name, space in spaces:
        yield from _firewall(name, space)
    for name, space in spaces:
        yield from _properties(mtus, name, space)
    for name, space in spaces:
        for route in space.routes:
            yield steps.AddRoute(name, route_of(route))
        for rule in space.rules:
            yield steps.AddRule(name, rule_of(rule))
        for neighbour in space.neighbours:
            yield steps.AddNeighbour(name, neighbour.dev, _neighbour(neighbour))
    for name, lines in hosts_lines(topology).items() if topology.hosts_file else ():
        if HOSTS_FILE not in topology.namespaces[name].files:
            yield steps.WriteHosts(name, lines)
    for name, space in spaces:
        yield from _files(name, space)
    for endpoint in topology.ttun:
        spec = _engine(topology, endpoint)
        yield steps.StartEngine(*spec.device, spec)
    for end in topology.part.cables if topology.part else ():
        yield steps.StartCable(*end.device, cable_spec(end))
    for name, space in spaces:
        for line in space.exec:
            yield steps.RunLine(name, Ran(line.command, line.exit, line.cwd), line.within)
    programs = [_program(name, program) for name, space in spaces for program in space.programs]
    for wave in in_waves(programs):
        for each in wave:
            yield steps.StartProgram(each.ref.namespace, each)


def _files(name: str, space: model.Namespace) -> Iterator[Step]:
    """Yield what its programs alone see, a directory before what is in it."""
    for path, file in sorted(space.files.items()):
        if file.directory:
            yield steps.MakeDirectory(name, path, file.permissions)
        else:
            yield steps.WriteFile(name, path, file.permissions, file.data)


def _early_sysctls(name: str, space: model.Namespace) -> Iterator[Step]:
    """Yield the settings of the whole namespace, before there is any interface that would inherit the old ones."""
    for key, value in {**settings.baseline(space), **settings.of_file(space)}.items():
        if not _belongs_to_an_interface(key, space):
            yield steps.SetSysctl(name, key, value)


def _links(order: Mapping[str, int], name: str, space: model.Namespace) -> Iterator[Step]:
    for interface_name, interface in space.interfaces.items():
        match interface:
            case model.Veth(peer=peer):
                # A cable is made once, at the end that stands first in the file.
                if (order[name], interface_name) < (order[peer.namespace], peer.interface):
                    yield steps.AddVeth(name, interface_name, peer)
            case model.Tun(owner=owner) | model.Tap(owner=owner):
                yield steps.AddLink(name, interface_name, interface.kind, owner)
            case model.Dummy() | model.Bridge():
                yield steps.AddLink(name, interface_name, interface.kind)
            case model.Loopback():
                pass  # every namespace has it


def _firewall(name: str, space: model.Namespace) -> Iterator[Step]:
    if space.nft or space.masquerade:
        addresses = (address for interface in space.interfaces.values() for address in interface.addresses)
        versions = tuple(sorted({address.version for address in addresses})) or (4, 6)
        yield steps.SetFirewall(
            name, Firewall(space.nft or "", space.masquerade, versions if space.masquerade else (4, 6))
        )


def _properties(mtus: Mtus, name: str, space: model.Namespace) -> Iterator[Step]:
    masters = {
        port: bridge
        for bridge, interface in space.interfaces.items()
        if isinstance(interface, model.Bridge)
        for port in interface.ports
    }
    asked_for = settings.of_file(space)
    for interface_name, interface in space.interfaces.items():
        ref = InterfaceRef(name, interface_name)
        mac = getattr(interface, "mac", None)
        if mac:
            yield steps.SetMac(name, interface_name, mac)
        mtu = interface.mtu or mtus.derived.get(ref)
        if mtu and not isinstance(interface, model.Bridge):
            yield steps.SetMtu(name, interface_name, mtu)
        if interface_name in masters:
            yield steps.SetMaster(name, interface_name, masters[interface_name])
        if isinstance(interface, model.Veth | model.Tap) and (impairment := as_kept(_impairment(interface.impair))):
            yield steps.SetNetem(name, interface_name, impairment)
    # After its ports: a bridge follows the narrowest until it was given another MTU than it has (br_change_mtu()).
    for interface_name, interface in space.interfaces.items():
        if interface.mtu and isinstance(interface, model.Bridge):
            yield steps.SetMtu(name, interface_name, interface.mtu)
    for interface_name, interface in space.interfaces.items():
        ref = InterfaceRef(name, interface_name)
        has_ipv6 = mtus.of(ref) >= SMALLEST[6]  # the kernel takes IPv6 from a smaller interface
        asked = f"net/ipv6/conf/{interface_name}/addr_gen_mode" in asked_for
        wants_ipv6 = asked or any(address.version == 6 for address in interface.addresses)
        if interface.kind != "lo" and has_ipv6 and not wants_ipv6:
            yield steps.NoAutomaticAddresses(name, interface_name)
    for key, value in asked_for.items():
        if _belongs_to_an_interface(key, space):
            yield steps.SetSysctl(name, key, value)
    for interface_name, interface in space.interfaces.items():
        for address in interface.addresses:
            yield steps.AddAddress(name, interface_name, str(address))
    yield steps.SetUp(name, "lo")
    for interface_name, interface in space.interfaces.items():
        if interface.kind != "lo":
            yield steps.SetUp(name, interface_name)


def _neighbour(written: model.Neighbour) -> Neighbour:
    return Neighbour(str(written.to), written.lladdr or "", "proxy" if written.proxy else "permanent")


def cable_spec(end: model.CableEnd) -> CableSpec:
    ports = (end.ports.first, end.ports.last) if end.ports else (0, 0)
    return CableSpec(end.device, end.peer, end.cable, end.host, end.address, ports)


def _engine(topology: Topology, endpoint: model.TunnelEndpoint) -> EngineSpec:
    device = topology.namespaces[endpoint.device.namespace].interfaces[endpoint.device.interface]
    return EngineSpec(
        endpoint.device,
        Address(str(endpoint.bind.host), endpoint.bind.port),
        Address(str(endpoint.peer.host), endpoint.peer.port),
        verbose=endpoint.verbose,
        offload=endpoint.offload,
        too_big=endpoint.too_big,
        impair=_impairment(endpoint.impair),
        impair_in=_impairment(endpoint.impair_in),
        run_as=device.owner if isinstance(device, model.Tun) else None,
        program=_own_engine(endpoint),
        directory=endpoint.engine.directory if endpoint.engine else "",
    )


def _impairment(written: model.Impair | None) -> Impairment:
    return NO_IMPAIRMENT if written is None else written.impairment


def _own_engine(endpoint: model.TunnelEndpoint) -> tuple[str, ...]:
    """Return the words of the user's own program. They are split first and filled in then: no value becomes two."""
    if endpoint.engine is None:
        return ()
    values = (endpoint.device.interface, *endpoint.bind, *endpoint.peer)
    filled_in = dict(zip(ENDPOINT_WORDS, values, strict=True))
    return tuple(word.format_map(filled_in) for word in shlex.split(endpoint.engine.command))


def _program(namespace: str, program: model.Program) -> ProgramSpec:
    return ProgramSpec(
        ProgramRef(namespace, program.name),
        tuple(shlex.split(program.command)),
        cwd=program.cwd,
        env=tuple(program.env.items()),
        user=program.user,
        restart=program.restart,
        stop_signal=program.stop_signal,
        ready=_readiness(program.ready) if program.ready else None,
        after=tuple(ProgramRef.near(other, namespace) for other in program.after),
    )


def _readiness(ready: model.Ready) -> Readiness:
    if ready.tcp is not None:
        return Readiness("tcp", str(ready.tcp), ready.within)
    if ready.udp is not None:
        return Readiness("udp", str(ready.udp), ready.within)
    if ready.log is not None:
        return Readiness("log", ready.log, ready.within)
    assert ready.command is not None, "the model has exactly one of them"
    return Readiness("command", ready.command, ready.within)


def _belongs_to_an_interface(key: str, space: model.Namespace) -> bool:
    """Return whether a sysctl is one of an interface, as net/ipv4/conf/tun0/rp_filter is."""
    parts = key.split("/")
    return len(parts) > 4 and parts[2] in ("conf", "neigh") and parts[3] in space.interfaces
