"""The engines of a lab that run: as what each was started, what packets suffer in it, and why it may have to end."""

from __future__ import annotations

import ipaddress
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress

from labctl.engine.control import ask
from labctl.engine.packets.impairment import Impairment
from labctl.kernel import namespaces
from labctl.lab.engines.stats import EngineStats
from labctl.lab.journal import Engine
from labctl.lab.programs.program_files import why_outdated
from labctl.lab.state import State
from labctl.plan import steps
from labctl.plan.engine_spec import Direction, EngineSpec
from labctl.plan.facts import Namespace, RunningEngine
from labctl.plan.steps import Step
from labctl.topology.interface_ref import InterfaceRef


def running(
    engines: Mapping[InterfaceRef, Engine], state: State, desired: Collection[Step], found: Mapping[str, Namespace]
) -> Iterator[tuple[InterfaceRef, RunningEngine]]:
    """Yield the recorded engines that run, by device; `found` are the namespaces as they are."""
    wanted = {step.ref: step.spec for step in desired if isinstance(step, steps.StartEngine)}
    for device, engine in engines.items():
        spec = engine.spec
        if not engine.process.alive():
            continue
        if engine.process.stopped():  # it would not answer, and is started again anyway
            yield device, RunningEngine(spec, spec.impairments, stopped=True)
            continue
        asked = wanted.get(device)
        outdated = _why_outdated(asked, engine, desired, found) if asked and asked.program else ""
        yield device, RunningEngine(spec, impairments(spec, state), outdated=outdated)


def impairments(spec: EngineSpec, state: State) -> Mapping[Direction, Impairment]:
    """Return what packets suffer in an engine. Most were never changed, and are not asked."""
    if EngineStats.of(spec.device, state).changes:
        with suppress(OSError, ValueError):
            in_force = ask(state.control_of(spec.device), {})
            return {"out": in_force["out"], "in": in_force["in"]}
    return spec.impairments


def _why_outdated(asked: EngineSpec, engine: Engine, desired: Collection[Step], found: Mapping[str, Namespace]) -> str:
    """Return why a program that runs does not do what the file asks, though its command may be the same; or empty."""
    device = asked.device
    space = found.get(device.namespace)
    link = space.links.get(device.interface) if space else None
    if link is not None and link.up and not link.carrier:
        return f"has {device.interface} open no more"
    if engine.files and engine.spec.program == asked.program:
        edited = why_outdated(engine.files, asked.program, asked.directory, engine.process)
        if edited:
            return edited
    return _why_unreachable(asked, desired) if space else ""


def _why_unreachable(program: EngineSpec, desired: Collection[Step]) -> str:
    """Return why a program that is bound to a wildcard will receive nothing: all its sockets have addresses that go.

    A UDP socket that is connected keeps the address it had then (ip4_datagram_connect in net/ipv4/datagram.c).
    """
    if not program.bind.is_wildcard:
        return ""
    from labctl.kernel.sockets import hosts

    namespace = program.device.namespace
    with namespaces.inside(namespace):
        here = sorted(hosts("udp", program.bind.port))
    stay = {
        step.address.partition("/")[0]
        for step in desired
        if isinstance(step, steps.AddAddress) and step.namespace == namespace
    }
    if not here or any(_stays(ipaddress.ip_address(host), stay) for host in here):
        return ""
    return f"its UDP socket has the address {here[0]}, which no interface has by the file"


def _stays(host: ipaddress.IPv4Address | ipaddress.IPv6Address, stay: Collection[str]) -> bool:
    """Return whether an address is one of the file, or one that the kernel itself assigns or takes for any."""
    host = getattr(host, "ipv4_mapped", None) or host
    return host.is_unspecified or host.is_loopback or host.is_link_local or str(host) in stay
