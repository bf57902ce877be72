"""The gap between a topology and the kernel: what is observed of a lab, and what is left to do."""

from __future__ import annotations

import ipaddress
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace

from labctl.engine.control import ask
from labctl.errors import UsageError
from labctl.kernel import namespaces
from labctl.kernel.observe import observe
from labctl.kernel.sockets import hosts
from labctl.kernel.tuntap import uid_of, user_name
from labctl.lab.engines.program_files import why_outdated
from labctl.lab.engines.stats import EngineStats
from labctl.lab.journal import Engine, Recorded
from labctl.lab.state import State
from labctl.plan import settings
from labctl.plan.coverage import Coverage, coverage
from labctl.plan.desired import desired
from labctl.plan.facts import NOTHING, STOPPED, Facts, Namespace
from labctl.plan.impairing import Command
from labctl.plan.plan import plan
from labctl.plan.reasons import Change, change
from labctl.plan.steps import AddAddress, AddNamespace, SetSysctl, StartEngine, Step
from labctl.process.privileges import has_network_rights
from labctl.topology.model import Tap, Topology, Tun, Veth


@dataclass(frozen=True)
class Pending:
    """What `up` would do, and what was looked at to know that."""

    changes: tuple[Change, ...]
    coverage: Coverage


def pending(topology: Topology, state: State) -> Pending:
    """What `up` would do now; nothing is touched."""
    return between(topology, facts(state, state.read(), topology))


def between(topology: Topology, found: Facts) -> Pending:
    """The same from what was observed already."""
    return Pending(tuple(change(step, found) for step in plan(topology, found)), coverage(found))


@dataclass(frozen=True)
class Planned:
    """What `up` would do; `file` is the one that the running lab was made from."""

    lab: str
    file: str
    pending: Pending


def planned(topology: Topology) -> Planned:
    """The same for the lab of that name, which need not be there. Raises UsageError where `up` would."""
    if not has_network_rights():  # the lab would be in a room of its own, which is not there yet
        return Planned(topology.name, "", between(topology, NOTHING))
    state = State(topology.name)
    recorded, found = state.read(), pending(topology, state)
    check_names_free(found.changes, recorded)
    return Planned(topology.name, recorded.file, found)


def check_names_free(changes: Iterable[Change], recorded: Recorded) -> None:
    """Before anything is made: a name that is to be made must be free, or a claim of this lab that lost its mount."""
    for step, _ in changes:
        if not isinstance(step, AddNamespace) or not namespaces.taken(step.namespace):
            continue
        if step.namespace not in recorded.namespaces or not namespaces.is_claim(step.namespace):
            raise namespaces.name_taken(step.namespace)


def facts(state: State, recorded: Recorded, topology: Topology | None) -> Facts:
    """What is there already of a lab: only what is recorded as its own counts. Settings: those that the plan knows."""
    steps = list(desired(topology)) if topology else []
    paths: dict[str, list[str]] = {}
    for step in steps:
        if isinstance(step, SetSysctl):
            paths.setdefault(step.namespace, []).append(step.path)
    for name, space in topology.namespaces.items() if topology else ():
        paths.setdefault(name, []).extend(settings.kept(space))
    found = {}
    for name, known in recorded.namespaces.items():
        if namespaces.is_ours(name, known):
            there = observe(name, paths.get(name, ()), [*_next_to(name, topology), *recorded.namespaces])
            if there is not None:
                found[name] = _with_owners(name, there, topology, recorded)
    engines = dict(_running(recorded.engines))
    # One that was stopped would not answer, and is started anew anyway.
    going = {device: command for device, command in engines.items() if command == recorded.engines[device].command}
    programs = [step for step in steps if isinstance(step, StartEngine) and step.program and step.subject in going]
    outdated = {
        **{step.subject: why for step in programs if (why := _deserted(step, steps, found))},
        **dict(_outdated(programs, found, recorded.engines)),
    }
    return Facts(found, engines, dict(_impaired(going, state)), outdated)


def _next_to(name: str, topology: Topology | None) -> list[str]:
    """The namespaces into which the cables of one lead by the file."""
    space = topology.namespaces.get(name) if topology else None
    interfaces = space.interfaces.values() if space else ()
    return [interface.peer.namespace for interface in interfaces if isinstance(interface, Veth)]


def _with_owners(name: str, there: Namespace, topology: Topology | None, recorded: Recorded) -> Namespace:
    """The same with each owner as the file spells it: by name or number, or where this user cannot give it away."""
    space = topology.namespaces.get(name) if topology else None
    links = dict(there.links)
    for interface, asked in space.interfaces.items() if space else ():
        link = links.get(interface)
        if link is None or not isinstance(asked, Tun | Tap) or not asked.owner:
            continue
        substitution = recorded.substitutions.get(f"{name}:{interface}")
        own = substitution is not None and substitution.wanted == f"owner {asked.owner}"
        if own or _is(link.owner, asked.owner):
            links[interface] = replace(link, owner=asked.owner)
    return replace(there, links=links)


def _is(found: str, desired: str) -> bool:
    """Whether two ways to write a user mean the same one."""
    with suppress(UsageError):
        return user_name(uid_of(desired)) == found
    return False


def _impaired(engines: Mapping[str, str], state: State) -> Iterator[tuple[str, Mapping[str, str]]]:
    """The engines that impair differently than their commands say. Most were never changed, and are not asked."""
    for device, command in engines.items():
        if EngineStats.of(device, state).changes:
            with suppress(OSError, ValueError):
                answer = ask(state.control_of(device), {})
                in_force = {direction: str(impairment) for direction, impairment in answer.items()}
                if in_force != Command.of(command).impairments:
                    yield device, in_force


def _outdated(
    programs: Iterable[StartEngine], found: Mapping[str, Namespace], engines: Mapping[str, Engine]
) -> Iterator[tuple[str, str]]:
    """The programs that run and serve their device no more, or whose files are others by now; and which of that."""
    for step in programs:
        engine = engines[step.subject]
        link = found[step.namespace].links.get(step.interface) if step.namespace in found else None
        if link is not None and link.up and not link.carrier:
            yield step.subject, f"has {step.interface} open no more"
        elif engine.files and engine.command == step.command:
            why = why_outdated(engine.files, step.program, step.directory)
            if why:
                yield step.subject, why


def _deserted(program: StartEngine, steps: Iterable[Step], found: Collection[str]) -> str | None:
    """Return why a program that is bound to a wildcard will hear nothing: all its sockets have addresses that go.

    A UDP socket that is connected keeps the address it had then (ip4_datagram_connect in net/ipv4/datagram.c).
    """
    if program.namespace not in found or not ipaddress.ip_address(program.bind_host).is_unspecified:
        return None
    with namespaces.inside(program.namespace):
        here = sorted(hosts("udp", program.bind_port))
    stay = {
        step.address.partition("/")[0]
        for step in steps
        if isinstance(step, AddAddress) and step.namespace == program.namespace
    }
    if not here or any(_stays(ipaddress.ip_address(host), stay) for host in here):
        return None
    return f"its UDP socket has the address {here[0]}, which no interface has by the file"


def _stays(host: ipaddress.IPv4Address | ipaddress.IPv6Address, stay: Collection[str]) -> bool:
    """Whether an address is one of the file, or one that the kernel itself gives or takes for any."""
    host = getattr(host, "ipv4_mapped", None) or host
    return host.is_unspecified or host.is_loopback or host.is_link_local or str(host) in stay


def _running(engines: Mapping[str, Engine]) -> Iterator[tuple[str, str]]:
    """The engines that run, with their commands. One that was stopped forwards nothing, and serves nobody."""
    for device, engine in engines.items():
        if engine.process.alive():
            yield device, f"{engine.command}{STOPPED}" if engine.process.stopped() else engine.command
