"""The plan: what is there and should not be goes; then everything that the topology asks for and is not there comes.

`wanted` lists the steps that make a lab on a bare machine, in an order that the kernel accepts: namespaces, links,
their properties, addresses, up, routes, engines. `holds` asks whether the facts already show what a step would do.
A plan is the surplus, and then the wanted steps that do not hold, so a first `up`, a second one, a change of the file
and a repair are the same function.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping

from labctl.plan import facts as facts_of
from labctl.plan.facts import Facts
from labctl.plan.mtu import mtu_of, tunnel_mtus
from labctl.plan.netem import as_kept
from labctl.plan.steps import (
    AddAddress,
    AddLink,
    AddNamespace,
    AddRoute,
    AddVeth,
    NoAutomaticAddresses,
    SetMac,
    SetMaster,
    SetMtu,
    SetNetem,
    SetSysctl,
    SetUp,
    StartEngine,
    Step,
)
from labctl.plan.surplus import same_route, surplus, without
from labctl.topology import model
from labctl.topology.model import Topology
from labctl.topology.values import ENDPOINT_WORDS, InterfaceRef, sysctl_parts

# A new namespace inherits the IPv4 settings of the machine (net/ipv4/devconf.c: devinet_init_net). On a host that
# forwards, as every container host does, a lab would then forward too, and a silent neighbour would answer.
BASELINE = {
    "net/ipv4/ip_forward": "0",
    "net/ipv4/conf/all/rp_filter": "0",
    "net/ipv4/conf/default/rp_filter": "0",
}


def plan(topology: Topology, facts: Facts) -> list[Step]:
    """The steps from the facts to the topology, in the order in which the kernel accepts them."""
    steps = list(wanted(topology))
    removals = list(surplus(steps, facts))
    left = without(facts, removals)
    missing = [step for step in steps if not holds(step, left)]
    return [*removals, *_default_mtus(topology, left), *missing]


def _default_mtus(topology: Topology, facts: Facts) -> Iterator[SetMtu]:
    """Back to the default where nothing asks for an MTU and somebody changed it."""
    tunnels = tunnel_mtus(topology)
    for name, space in topology.namespaces.items():
        for interface_name, interface in space.interfaces.items():
            ref = InterfaceRef(name, interface_name)
            link = facts.namespaces.get(name, facts_of.Namespace()).links.get(interface_name)
            if link is None or interface.mtu or ref in tunnels:
                continue
            mtu = mtu_of(topology, ref, tunnels)
            if link.mtu != mtu:
                yield SetMtu(name, interface_name, mtu)


def wanted(topology: Topology) -> Iterator[Step]:
    """Every step that makes the lab on a bare machine."""
    spaces = topology.namespaces.items()
    order = {name: place for place, name in enumerate(topology.namespaces)}
    for name, _ in spaces:
        yield AddNamespace(name)
    for name, space in spaces:
        yield from _early_sysctls(name, space)
        yield from _links(order, name, space)
    tunnels = tunnel_mtus(topology)
    for name, space in spaces:
        yield from _properties(tunnels, name, space)
    for name, space in spaces:
        for route in space.routes:
            yield AddRoute(name, str(route.to), str(route.via) if route.via else None, route.dev, route.metric)
    for endpoint in topology.ttun:
        yield _engine(topology, endpoint)


def _early_sysctls(name: str, space: model.Namespace) -> Iterator[Step]:
    """Settings of the whole namespace, before there is any interface that would inherit the old ones."""
    for key, value in {**BASELINE, **_sysctls(space)}.items():
        if not _belongs_to_an_interface(key, space):
            yield SetSysctl(name, key, value)


def _links(order: Mapping[str, int], name: str, space: model.Namespace) -> Iterator[Step]:
    for interface_name, interface in space.interfaces.items():
        match interface:
            case model.Veth(peer=peer):
                # A cable is made once, at the end that stands first in the file.
                if (order[name], interface_name) < (order[peer.namespace], peer.interface):
                    yield AddVeth(name, interface_name, peer.namespace, peer.interface)
            case model.Tun(owner=owner) | model.Tap(owner=owner):
                yield AddLink(name, interface_name, interface.kind, owner)
            case model.Dummy() | model.Bridge():
                yield AddLink(name, interface_name, interface.kind)
            case model.Loopback():
                pass  # every namespace is born with it


def _properties(tunnels: Mapping[InterfaceRef, int], name: str, space: model.Namespace) -> Iterator[Step]:
    masters = {
        port: bridge
        for bridge, interface in space.interfaces.items()
        if isinstance(interface, model.Bridge)
        for port in interface.ports
    }
    for interface_name, interface in space.interfaces.items():
        mac = getattr(interface, "mac", None)
        if mac:
            yield SetMac(name, interface_name, mac)
        mtu = interface.mtu or tunnels.get(InterfaceRef(name, interface_name))
        if mtu:
            yield SetMtu(name, interface_name, mtu)
        if interface_name in masters:
            yield SetMaster(name, interface_name, masters[interface_name])
        if isinstance(interface, model.Veth) and (impairment := as_kept(str(interface.impair or "none"))):
            yield SetNetem(name, interface_name, impairment)
        if interface.kind != "lo" and not any(address.version == 6 for address in interface.addresses):
            yield NoAutomaticAddresses(name, interface_name)
    for key, value in _sysctls(space).items():
        if _belongs_to_an_interface(key, space):
            yield SetSysctl(name, key, value)
    for interface_name, interface in space.interfaces.items():
        for address in interface.addresses:
            yield AddAddress(name, interface_name, str(address))
    yield SetUp(name, "lo")
    for interface_name, interface in space.interfaces.items():
        if interface.kind != "lo":
            yield SetUp(name, interface_name)


def _engine(topology: Topology, endpoint: model.Endpoint) -> StartEngine:
    device = topology.namespaces[endpoint.device.namespace].interfaces[endpoint.device.interface]
    return StartEngine(
        endpoint.device.namespace,
        endpoint.device.interface,
        str(endpoint.bind.host),
        endpoint.bind.port,
        str(endpoint.peer.host),
        endpoint.peer.port,
        _options(endpoint),
        device.owner if isinstance(device, model.Tun) else None,
        _program(endpoint),
    )


def _options(endpoint: model.Endpoint) -> tuple[str, ...]:
    """What the file asks for, as options of the ttun command."""
    options = ["-v"] if endpoint.verbose else []
    options += [] if endpoint.offload else ["--no-offload"]
    options += ["--too-big", endpoint.too_big] if endpoint.too_big != "fragment" else []
    options += ["--impair", str(endpoint.impair)] if endpoint.impair else []
    options += ["--impair-in", str(endpoint.impair_in)] if endpoint.impair_in else []
    return tuple(options)


def _program(endpoint: model.Endpoint) -> tuple[str, ...]:
    """The words of somebody's own forwarder. It is split first and filled in then, so no value can become two words."""
    if endpoint.engine is None:
        return ()
    values = (endpoint.device.interface, *endpoint.bind, *endpoint.peer)
    filled_in = dict(zip(ENDPOINT_WORDS, values, strict=True))
    return tuple(word.format_map(filled_in) for word in shlex.split(endpoint.engine.command))


def _sysctls(space: model.Namespace) -> dict[str, str]:
    """The settings of the file by their path below /proc/sys, in which a dot is a dot."""
    return {"/".join(sysctl_parts(key)): value for key, value in space.sysctls.items()}


def _belongs_to_an_interface(key: str, space: model.Namespace) -> bool:
    """Whether a sysctl is one of an interface, as net/ipv4/conf/tun0/rp_filter is."""
    parts = key.split("/")
    return len(parts) > 4 and parts[2] in ("conf", "neigh") and parts[3] in space.interfaces


def holds(step: Step, facts: Facts) -> bool:
    """Whether what the step would make is there already."""
    there = facts.namespaces.get(step.namespace)
    if there is None:
        return False
    match step:
        case AddNamespace():
            return True
        case SetSysctl(path=path, value=value):
            return there.sysctls.get(path) == value
        case AddRoute():
            return any(same_route(step, route) for route in there.routes)
        case StartEngine():
            return facts.engines.get(step.subject) == step.command
        case AddVeth(interface=interface, peer_namespace=space, peer_interface=peer):
            return interface in there.links and peer in facts.namespaces.get(space, facts_of.Namespace()).links
    link = there.links.get(getattr(step, "interface", ""))
    if link is None:
        return False
    match step:
        case AddLink(kind=kind):
            return link.kind == kind
        case SetMac(mac=mac):
            return link.mac == mac
        case SetMtu(mtu=mtu):
            return link.mtu == mtu
        case SetMaster(master=master):
            return link.master == master
        case SetNetem(impairment=impairment):
            return link.netem == impairment
        case NoAutomaticAddresses():
            return link.addrgenmode == "none"
        case AddAddress(address=address):
            return address in link.addresses
        case SetUp():
            return link.up
    raise TypeError(f"no way to tell whether {step!r} holds")
