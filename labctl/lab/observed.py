"""What is observed of a lab: the facts that its topology is compared with."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import replace

from labctl.errors import UsageError
from labctl.kernel import namespaces
from labctl.kernel.observe import observe
from labctl.lab.engines.running import running
from labctl.lab.journal import Recorded
from labctl.lab.state import State
from labctl.plan.desired import Desired
from labctl.plan.facts import Facts, Link, RunningCable
from labctl.plan.own_file import OwnFile
from labctl.plan.sought import Sought
from labctl.process.disk import kept_in
from labctl.topology.interface_ref import InterfaceRef


def facts(state: State, recorded: Recorded, desired: Desired | None) -> Facts:
    """Return what is there of a lab: what is recorded as its own, with the settings that its topology decides about."""
    sought = desired.sought if desired else {}
    steps = desired.steps if desired else ()
    found = {}
    for name, known in recorded.namespaces.items():
        asked = sought.get(name, Sought())
        if namespaces.is_ours(name, known):
            there = observe(name, asked.settings, [*asked.peers, *recorded.namespaces])
            if there is not None:
                links = dict(_with_owners(name, there.links, asked.owners, recorded))
                files, firewall = dict(_files(name, state, recorded)), recorded.firewalls.get(name)
                hosts = state.files_of(name).look_at_hosts()
                ran = tuple(recorded.ran.get(name, ()))
                found[name] = replace(there, links=links, files=files, hosts=hosts, ran=ran, firewall=firewall)
    engines = dict(running(recorded.engines, state, steps, found))
    cables = {
        device: RunningCable(cable.spec, cable.process.stopped())
        for device, cable in recorded.cables.items()
        if cable.process.alive()
    }
    if not recorded.programs:
        return Facts(found, engines, cables=cables)
    from labctl.lab.programs.found import found_programs  # which most labs do without

    return Facts(found, engines, dict(found_programs(recorded.programs, state, steps)), cables)


def _files(name: str, state: State, recorded: Recorded) -> Iterator[tuple[str, OwnFile]]:
    """Yield what is there of what a namespace alone has, by path."""
    own = state.files_of(name)
    with kept_in(own.directory):
        for path in sorted(recorded.files.get(name, ())):
            if found := own.look(path):
                yield path, found


def _with_owners(
    name: str, links: Mapping[str, Link], owners: Mapping[str, str], recorded: Recorded
) -> Iterator[tuple[str, Link]]:
    """Yield the interfaces with each owner as the file spells it: by name or number, or what stands in for it here."""
    for interface, link in links.items():
        asked = owners.get(interface)
        substitution = recorded.substitutions.get(InterfaceRef(name, interface))
        stands_in = substitution is not None and substitution.wanted == f"owner {asked}"
        yield interface, replace(link, owner=asked) if asked and (stands_in or _is(link.owner, asked)) else link


def _is(found: str, desired: str) -> bool:
    """Return whether two ways to write a user mean the same one."""
    from labctl.process.users import uid_of, user_name  # which few labs need

    with suppress(UsageError):
        return user_name(uid_of(desired)) == found
    return False
