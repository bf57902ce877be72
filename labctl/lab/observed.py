"""What is observed of a lab: the facts that its topology is compared with."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace

from labctl.errors import UsageError
from labctl.kernel import namespaces
from labctl.kernel.observe import observe
from labctl.lab.engines.running import running
from labctl.lab.journal import Recorded
from labctl.lab.programs.found import found_programs
from labctl.lab.state import State
from labctl.plan import settings, steps
from labctl.plan.desired import Desired
from labctl.plan.facts import Facts, Link, Namespace
from labctl.plan.own_file import OwnFile
from labctl.process.disk import kept_in
from labctl.process.users import uid_of, user_name
from labctl.topology.interface_ref import InterfaceRef
from labctl.topology.model import Tap, Topology, Tun, Veth


def facts(state: State, recorded: Recorded, desired: Desired | None) -> Facts:
    """Return what is there of a lab: what is recorded as its own, with the settings that its topology decides about."""
    topology = desired.topology if desired else None
    paths = _paths(desired) if desired else {}
    found = {}
    for name, known in recorded.namespaces.items():
        if namespaces.is_ours(name, known):
            there = observe(name, paths.get(name, ()), [*_peers_of(name, topology), *recorded.namespaces])
            if there is not None:
                links = dict(_with_owners(name, there, topology, recorded))
                files, firewall = dict(_files(name, state, recorded)), recorded.firewalls.get(name)
                hosts = state.files_of(name).look_at_hosts()
                ran = tuple(recorded.ran.get(name, ()))
                found[name] = replace(there, links=links, files=files, hosts=hosts, ran=ran, firewall=firewall)
    steps_wanted = desired.steps if desired else ()
    engines = dict(running(recorded.engines, state, steps_wanted, found))
    return Facts(found, engines, dict(found_programs(recorded.programs, state, steps_wanted)))


def _files(name: str, state: State, recorded: Recorded) -> Iterator[tuple[str, OwnFile]]:
    """Yield what is there of what a namespace alone has, by path."""
    own = state.files_of(name)
    with kept_in(own.directory):
        for path in sorted(recorded.files.get(name, ())):
            if found := own.look(path):
                yield path, found


def _paths(desired: Desired) -> dict[str, list[str]]:
    """Return the settings to read of each namespace, by their path below /proc/sys."""
    paths: dict[str, list[str]] = {name: [] for name in desired.topology.namespaces}
    for step in desired.steps:
        if isinstance(step, steps.SetSysctl):
            paths[step.namespace].append(step.path)
    for name, space in desired.topology.namespaces.items():
        paths[name].extend(settings.kept(space))
    return paths


def _peers_of(name: str, topology: Topology | None) -> Iterator[str]:
    """Yield the namespaces into which the cables of one lead by the file."""
    space = topology.namespaces.get(name) if topology else None
    for interface in space.interfaces.values() if space else ():
        if isinstance(interface, Veth):
            yield interface.peer.namespace


def _with_owners(
    name: str, there: Namespace, topology: Topology | None, recorded: Recorded
) -> Iterator[tuple[str, Link]]:
    """Yield the interfaces with each owner as the file spells it: by name or number, or what stands in for it here."""
    space = topology.namespaces.get(name) if topology else None
    for interface, link in there.links.items():
        asked = space.interfaces.get(interface) if space else None
        if isinstance(asked, Tun | Tap) and asked.owner:
            substitution = recorded.substitutions.get(InterfaceRef(name, interface))
            own = substitution is not None and substitution.wanted == f"owner {asked.owner}"
            yield interface, replace(link, owner=asked.owner) if own or _is(link.owner, asked.owner) else link
        else:
            yield interface, link


def _is(found: str, desired: str) -> bool:
    """Return whether two ways to write a user mean the same one."""
    with suppress(UsageError):
        return user_name(uid_of(desired)) == found
    return False
