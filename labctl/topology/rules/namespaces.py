"""Routes that the kernel would take, and sysctls that belong to a namespace."""

from __future__ import annotations

import re
from collections.abc import Iterator

from labctl.topology.mistakes import did_you_mean, listed
from labctl.topology.model import Namespace, Route, Topology
from labctl.topology.routing import LOOPBACK, Fib, connected, metric_of, on_link
from labctl.topology.rules.finding import Finding, unknown_interface
from labctl.topology.values import SAME_SYSCTL, Host, InterfaceRef, Network, sysctl_parts
from labctl.topology.yaml_tree import Key, Path

_SYSCTL_PART = re.compile(r"[A-Za-z0-9_.:@-]+")


def of_namespaces(topology: Topology) -> Iterator[Finding]:
    for where, namespace in topology.namespaces.items():
        yield from _routes(topology, where, namespace)
        yield from _sysctls(where, namespace)


def _routes(topology: Topology, where: str, namespace: Namespace) -> Iterator[Finding]:
    made_by_kernel: dict[Network, str] = {
        own.network: name
        for own, name in connected(namespace.interfaces)
        if own.version == 4 and own.network.prefixlen < 32 and name != LOOPBACK
    }
    fib = Fib(namespace.interfaces)
    seen: set[tuple[Network, int]] = set()
    for index, route in enumerate(namespace.routes):
        here: Path = ("namespaces", where, "routes", index)
        way = (route.to, metric_of(route))
        if way in seen:
            what = f"there is a route to {route.to} already"
            yield Finding((*here, "to"), what, "give one of them another 'metric'", (here[:-1],))
        elif way[1] == 0 and route.to in made_by_kernel:
            what = f"{route.to} is the network of {made_by_kernel[route.to]}: the kernel makes this route by itself"
            yield Finding((*here, "to"), what, "leave it out, or give it a 'metric'", (here,))
        seen.add(way)
        if route.via is None and route.dev is None:
            example = f"for example {{to: {route.to}, via: ADDRESS}} or {{to: {route.to}, dev: INTERFACE}}"
            yield Finding(here, "a route needs 'via', 'dev' or both", example, (here,))
        unknown = route.dev and unknown_interface(topology, InterfaceRef(where, route.dev), (*here, "dev"))
        if unknown:
            yield unknown
        elif route.via is not None:
            links = on_link(namespace.interfaces, namespace.routes[:index])
            yield from _next_hop(where, fib, route, route.via, links, (*here, "via"))
        # A next hop can be behind a route, but only behind one that the kernel has already: in the order of the file.
        fib.add(route)


def _next_hop(
    where: str, fib: Fib, route: Route, via: Host, links: Iterator[tuple[Network, str]], path: Path
) -> Iterator[Finding]:
    if via.version != route.to.version:
        what = f"the next hop {via} is IPv{via.version}, the destination {route.to} is IPv{route.to.version}"
        yield Finding(path, what, "both must be of one IP version")
    elif via.is_unspecified or via.is_multicast:
        yield Finding(path, f"{via} cannot be a next hop", "name the address of the neighbour that forwards")
    elif fib.owner_of(via) is not None:
        what = f"the next hop {via} is an address of {where!r} itself"
        yield Finding(path, what, "name the address of the neighbour that forwards")
    elif via.version == 6 and via.is_link_local and route.dev is None:
        yield Finding(path, f"the link-local next hop {via} could be behind any interface", "say which one with 'dev'")
    elif fib.interface_of(via, route.dev) is None:
        near = [str(network) for network, name in links if network.version == via.version and route.dev in (None, name)]
        what = f"the next hop {via} is in no network of {route.dev or repr(where)}"
        hint = (
            f"its networks: {listed([*dict.fromkeys(near)])}" if near else "give an interface an address in its network"
        )
        yield Finding(path, what, hint, (("namespaces", where, "interfaces"), ("namespaces", where, "routes")))


def _sysctls(where: str, namespace: Namespace) -> Iterator[Finding]:
    written = {"/".join(sysctl_parts(key)): key for key in namespace.sysctls}
    for key, value in namespace.sysctls.items():
        path = ("namespaces", where, "sysctls", Key(key))
        parts = sysctl_parts(key)
        twin = written.get(SAME_SYSCTL.get("/".join(parts), ""))
        if twin is not None and namespace.sysctls[twin] != value:
            what = f"{key!r} and {twin!r} are two names of one setting"
            yield Finding(path, what, "which of the two values is meant? leave one out", (path,))
        if parts[0] != "net":
            what = f"the sysctl {key!r} is not of a namespace: it would change this machine"
            yield Finding(path, what, "only those that begin with 'net.' can be set")
        elif len(parts) < 3 or any(not _SYSCTL_PART.fullmatch(part) or part in (".", "..") for part in parts):
            yield Finding(path, f"{key!r} cannot be the name of a sysctl", "for example net.ipv4.ip_forward")
        elif len(parts) > 4 and parts[1] in ("ipv4", "ipv6") and parts[2] in ("conf", "neigh"):
            known = (*namespace.interfaces, LOOPBACK, "all", "default")
            if parts[3] not in known:
                what = f"the namespace {where!r} has no interface {parts[3]!r}"
                absent = (("namespaces", where, "interfaces", parts[3]),)
                yield Finding(path, what, did_you_mean(parts[3], known), absent)
