"""Checks: each asks one thing, of namespaces and interfaces that are there, and can be answered."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from labctl.topology.mistakes import listed
from labctl.topology.model import Check, Nc, Topology
from labctl.topology.routing import Fib
from labctl.topology.rules.finding import Finding, unknown_interface, unknown_namespace
from labctl.topology.yaml_tree import Path

_ANSWERS = {"ping": ("reply", "no-reply", "not-sent"), "nc": ("delivered", "not-delivered", "not-sent")}


def of_checks(topology: Topology, fibs: Mapping[str, Fib]) -> Iterator[Finding]:
    names: set[str] = set()
    for index, check in enumerate(topology.checks):
        here: Path = ("checks", index)
        if check.name in names:
            what = f"there is a check named {check.name!r} already"
            yield Finding((*here, "name"), what, "`labctl verify NAME` must know which one is meant")
        names.add(check.name)
        yield from _one_question(check, here)
        yield from _namespaces(topology, check, here)
        yield from _interfaces(topology, check, here)
        if check.nc is not None and check.expect in (None, "delivered"):
            yield from _server(topology, fibs, check.nc, (*here, "nc", "address"))


def _one_question(check: Check, here: Path) -> Iterator[Finding]:
    asked = [name for name, probe in (("ping", check.ping), ("nc", check.nc)) if probe is not None]
    if not asked:
        example = "for example ping: {from: siteA, to: 10.0.102.1}"
        yield Finding(here, f"the check {check.name!r} has neither 'ping' nor 'nc'", example, (here,))
    elif len(asked) == 2:
        what = f"the check {check.name!r} has both 'ping' and 'nc'"
        yield Finding((*here, "nc"), what, "make two checks of it")
    elif check.expect is not None and check.expect not in _ANSWERS[asked[0]]:
        what = f"{check.expect!r} cannot be the outcome of {asked[0]}"
        yield Finding((*here, "expect"), what, f"it is one of: {', '.join(_ANSWERS[asked[0]])}")


def _namespaces(topology: Topology, check: Check, here: Path) -> Iterator[Finding]:
    named: list[tuple[str, Path]] = []
    if check.ping is not None:
        named.append((check.ping.from_, (*here, "ping", "from")))
    if check.nc is not None:
        named += [(check.nc.from_, (*here, "nc", "from")), (check.nc.to, (*here, "nc", "to"))]
    for name, path in named:
        unknown = unknown_namespace(topology, name, path)
        if unknown is not None:
            yield unknown


def _interfaces(topology: Topology, check: Check, here: Path) -> Iterator[Finding]:
    for key, refs in (("crosses", check.crosses), ("quiet", check.quiet)):
        for index, ref in enumerate(refs):
            path = (*here, key, index)
            unknown = unknown_interface(topology, ref, path)
            if unknown is not None:
                yield unknown
            elif key == "quiet" and ref in check.crosses:
                yield Finding(path, f"{ref} is in 'crosses' too: packets on it cannot be none", "leave one of them out")


def _server(topology: Topology, fibs: Mapping[str, Fib], nc: Nc, path: Path) -> Iterator[Finding]:
    server = topology.namespaces.get(nc.to)
    if server is None or fibs[nc.to].owner_of(nc.address) is not None:
        return
    own = [str(address.ip) for interface in server.interfaces.values() for address in interface.addresses]
    hint = f"its addresses: {listed(own)}" if own else "give an interface this address"
    what = f"the server cannot listen: {nc.address} is no address of {nc.to!r}"
    yield Finding(path, what, hint, (("namespaces", nc.to, "interfaces"), (*path[:2], "expect")))
