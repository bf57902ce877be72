"""What is there and should not be: the other half of the difference between the file and the kernel.

Only what is inside the lab's own namespaces counts, and only what the file can describe. What the kernel makes by
itself stays: link-local addresses, the addresses of `lo`, the routes that come with an address. A sysctl that is no
longer in the file keeps its value, because what it was before is not known.

Removals come before everything else, so that names, addresses and ports are free for what follows. What goes with an
interface has no step of its own.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Collection, Iterator
from pathlib import PurePosixPath

from labctl.plan import steps
from labctl.plan.change import UNWANTED, Change
from labctl.plan.facts import Facts, Link, Namespace
from labctl.plan.foreign import Hosts, foreign
from labctl.plan.options import left_blocking
from labctl.plan.program_spec import in_waves
from labctl.plan.route_removals import Loss, route_removals, rule_removals
from labctl.plan.steps import Step
from labctl.topology.interface_ref import InterfaceRef
from labctl.topology.routing import brings_network

_OWN_OF_LO = ("127.0.0.1/8", "::1/128")


def removals(wanted: Collection[Step], facts: Facts) -> Iterator[Change]:
    """Yield the removal of what no wanted step makes, and why: programs and engines first, namespaces last."""
    kept: dict[str, list[Step]] = {step.namespace: [] for step in wanted if isinstance(step, steps.AddNamespace)}
    for step in wanted:
        kept[step.namespace].append(step)
    doomed = dict(_links(wanted, facts, kept))
    hosts = Hosts.of(wanted, facts)
    yield from _programs(wanted, facts)
    yield from _engines(wanted, facts, doomed)
    yield from _cables(wanted, facts, doomed)
    for name, space in facts.namespaces.items():
        if name in kept:
            staying = {
                interface: link
                for interface, link in space.links.items()
                if InterfaceRef(name, interface) not in doomed
            }
            yield from foreign(name, space, staying, hosts)
            yield from rule_removals(kept[name], name, space)
            going = list(_addresses(kept[name], name, staying))
            yield from route_removals(kept[name], name, space, Loss.of(space, staying, [step for step, _ in going]))
            yield from (Change(step, why) for step, why in going)
            yield from _masters(kept[name], name, staying)
            yield from _netems(kept[name], name, staying)
            yield from _files(kept[name], name, space)
    for ref in sorted(doomed):
        link = facts.link(ref)
        peer = link.peer if link else None
        if peer not in doomed or ref < peer:  # a cable goes with either of its ends
            yield Change(steps.DeleteLink(*ref), doomed[ref])
    for name in facts.namespaces:
        if name not in kept:
            yield Change(steps.DeleteNamespace(name), UNWANTED)


def _links(wanted: Collection[Step], facts: Facts, kept: Collection[str]) -> Iterator[tuple[InterfaceRef, str]]:
    """Yield the links that are to go, and why: not wanted, of another kind or owner, or with another end."""
    made = {step.ref: step for step in wanted if isinstance(step, steps.AddLink)}
    cables = [step for step in wanted if isinstance(step, steps.AddVeth)]
    whole = {end for cable in cables if cable.is_whole(facts) for end in (cable.ref, cable.peer)}
    other_ends = {cable.ref: cable.peer for cable in cables} | {cable.peer: cable.ref for cable in cables}
    for name, space in facts.namespaces.items():
        for interface, link in space.links.items() if name in kept else ():
            here = InterfaceRef(name, interface)
            if link.kind == "lo" or here in whole:
                continue
            if here in other_ends:
                yield here, _no_such_cable(link, other_ends[here])
            elif here not in made:
                yield here, UNWANTED
            elif link.kind != made[here].kind:
                yield here, f"is a {link.kind}, not a {made[here].kind}"
            elif link.owner != (made[here].owner or ""):
                yield here, f"its owner is {link.owner or 'not set'}"


def _no_such_cable(link: Link, other: InterfaceRef) -> str:
    if link.kind != "veth":
        return f"is a {link.kind}, not a veth"
    return f"leads to {link.peer or 'nothing of the lab'}, not to {other}"


def _programs(wanted: Collection[Step], facts: Facts) -> Iterator[Change]:
    """Yield the end of each program that is not wanted, or that has to be started again: the last to start first."""
    asked = {step.spec.ref: step for step in wanted if isinstance(step, steps.StartProgram)}
    there = {ref: found for ref, found in facts.programs.items() if found.is_there}
    for wave in reversed([*in_waves([found.spec for found in there.values()])]):
        for spec in wave:
            if spec.ref.namespace not in facts.namespaces:
                why: str | None = "its namespace is gone"
            elif spec.ref in asked:
                why = _no_such_program(asked[spec.ref], facts)
            else:
                why = UNWANTED
            if why:
                yield Change(steps.StopProgram(spec.ref.namespace, spec), why)


def _no_such_program(wanted: steps.StartProgram, facts: Facts) -> str | None:
    """Return why a program has to end that is wanted; where that is for its command, what it is to be."""
    found = facts.programs[wanted.spec.ref]
    runs = found.state in ("running", "stopped") and not found.outdated
    if runs and "command" in found.spec.changed(wanted.spec):
        return f"is to be {wanted.spec.command}"
    return wanted.difference(facts)


def _engines(wanted: Collection[Step], facts: Facts, doomed: Collection[InterfaceRef]) -> Iterator[Change]:
    """Yield the end of each engine whose device goes, that is not wanted, or that has to be started again."""
    served = {step.ref: step.spec for step in wanted if isinstance(step, steps.StartEngine)}
    for device, running in facts.engines.items():
        if facts.link(device) is None or device in doomed:
            why = "its device goes"
        elif device not in served:
            why = UNWANTED
        elif running.outdated:
            why = running.outdated
        elif running.stopped:
            why = "forwards nothing"
        elif not running.spec.can_become(served[device]):
            why = f"is to be {served[device].command}"
        else:
            continue
        yield Change(steps.StopEngine(*device, running.spec, running.stopped), why)


def _cables(wanted: Collection[Step], facts: Facts, doomed: Collection[InterfaceRef]) -> Iterator[Change]:
    """Yield the end of each engine of a cable whose device goes, that is not wanted, or is to be started again."""
    served = {step.ref: step for step in wanted if isinstance(step, steps.StartCable)}
    for device, running in facts.cables.items():
        if facts.link(device) is None or device in doomed:
            why: str | None = "its device goes"
        else:
            why = served[device].difference(facts) if device in served else UNWANTED
        if why:
            yield Change(steps.StopCable(*device, running.spec, running.stopped), why)


def _addresses(
    wanted: Collection[Step], name: str, links: dict[str, Link]
) -> Iterator[tuple[steps.DeleteAddress, str]]:
    addresses = {(step.interface, step.address) for step in wanted if isinstance(step, steps.AddAddress)}
    for interface, link in links.items():
        going: dict[str, str] = {}  # and why
        for address in link.addresses:
            if (interface, address) not in addresses and not _is_the_kernels(address, link):
                going[address] = UNWANTED
            elif lost := _lost_route(address, link):
                going[address] = f"its route to {lost} is gone"
            elif (primary := _primary_of(address, link)) in going:
                going[address] = f"goes with {primary}, the first of its network"
        # The others of a network before its first: with that they would go by themselves, or not (promote_secondaries).
        for address, why in reversed(going.items()):
            yield steps.DeleteAddress(name, interface, address), why


def _is_the_kernels(address: str, link: Link) -> bool:
    return (link.kind == "lo" and address in _OWN_OF_LO) or address in link.by_itself


def _primary_of(address: str, link: Link) -> str:
    """Return the first IPv4 address of the same network: the others are its secondaries (ip-address(8))."""
    if ":" in address or " " in address:
        return address
    network = ipaddress.ip_interface(address).network
    same = (other for other in link.addresses if ":" not in other and " " not in other)
    return next(other for other in same if ipaddress.ip_interface(other).network == network)


def _lost_route(address: str, link: Link) -> str:
    """Return the route that is gone of those that come with an address while its interface is up; empty where none is.

    They are one to itself in the local table, and mostly one to its network.
    """
    if not link.up or _is_the_kernels(address, link):
        return ""
    own = ipaddress.ip_interface(address)
    itself = f"{own.ip}/{own.max_prefixlen}"
    if itself not in link.local:
        return f"{itself} in table local"
    has_one = link.kind != "lo" and brings_network(own)
    return str(own.network) if has_one and str(own.network) not in link.networks else ""


def _masters(wanted: Collection[Step], name: str, links: dict[str, Link]) -> Iterator[Change]:
    ports = {(step.interface, step.master) for step in wanted if isinstance(step, steps.SetMaster)}
    for interface, link in links.items():
        if link.master and (interface, link.master) not in ports:
            yield Change(steps.ClearMaster(name, interface, link.master), UNWANTED)
        elif link.master and left_blocking(link, links):
            yield Change(
                steps.ClearMaster(name, interface, link.master), "is blocked by a spanning tree that has ended"
            )


def _netems(wanted: Collection[Step], name: str, links: dict[str, Link]) -> Iterator[Change]:
    impaired = {step.interface for step in wanted if isinstance(step, steps.SetNetem)}
    for interface, link in links.items():
        if link.netem is not None and interface not in impaired:
            yield Change(steps.ClearNetem(name, interface, link.netem), UNWANTED)


def _files(wanted: Collection[Step], name: str, space: Namespace) -> Iterator[Change]:
    """Yield the removal of own files and directories; what is in a directory goes with it."""
    made = {step.path for step in wanted if isinstance(step, steps.WriteFile | steps.MakeDirectory)}
    going = {path for path in space.files if path not in made}
    if space.hosts is not None and not any(isinstance(step, steps.WriteHosts) for step in wanted):
        yield Change(steps.RemoveHosts(name), UNWANTED)
    for path, found in space.files.items():
        if path in going and going.isdisjoint(map(str, PurePosixPath(path).parents)):
            yield Change(steps.RemoveFile(name, path, found.kind or "file"), UNWANTED)
