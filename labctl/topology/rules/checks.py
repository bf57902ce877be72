"""Checks: each asks one thing, of namespaces and interfaces that are there, and can be answered."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from labctl.topology.interface_ref import InterfaceRef
from labctl.topology.model import PROBES, Check, Dns, Nc, Ping, RouteLookup, Throughput, Topology
from labctl.topology.paths import Path
from labctl.topology.routing import Fib, connected
from labctl.topology.rules.finding import Finding, unknown_interface, unknown_namespace
from labctl.topology.unknown_names import listed
from labctl.topology.values import Host, Network
from labctl.topology.values.checks import host_of_url

_LARGEST_DATAGRAM = {4: 65535 - 20 - 8, 6: 65535 - 8}  # IPv4 counts its own header in (RFC 791, RFC 8200)


def of_checks(topology: Topology, fibs: Mapping[str, Fib]) -> Iterator[Finding]:
    """Yield what is wrong with the checks of a topology."""
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
        if check.ping is not None:
            yield from _replies(check, check.ping, here)
            yield from _silence(topology, fibs, check, check.ping.to, (*here, "ping", "to"))
        if check.http is not None and (host := host_of_url(check.http.url)):
            yield from _silence(topology, fibs, check, host, (*here, "http", "url"))
        if check.dns is not None:
            yield from _answers(check.dns, (*here, "dns"))
            if check.dns.server is not None:
                yield from _silence(topology, fibs, check, check.dns.server, (*here, "dns", "server"))
        if check.route is not None:
            yield from _way(topology, check, check.route, (*here, "route"))
        if check.nc is not None and check.nc.protocol == "udp":
            yield from _one_datagram(check.nc, (*here, "nc"))
        if check.throughput is not None:
            yield from _server(topology, fibs, check.throughput, (*here, "throughput", "address"))
            yield from _port(topology, check.throughput, (*here, "throughput", "port"))
        if check.nc is not None and check.nc.server:
            yield from _server(topology, fibs, check.nc, (*here, "nc", "address"))
            yield from _port(topology, check.nc, (*here, "nc", "port"))
        elif check.nc is not None:
            yield from _silence(topology, fibs, check, check.nc.address, (*here, "nc", "address"))
            yield from _program(check, check.nc, (*here, "nc", "server"))


def _one_question(check: Check, here: Path) -> Iterator[Finding]:
    asked = list(check.probes)
    if not asked:
        example = "for example ping: {from: siteA, to: 10.0.102.1}"
        what = f"the check {check.name!r} asks nothing: it has none of {', '.join(PROBES)}"
        yield Finding(here, what, example, (here,))
    elif len(asked) > 1:
        what = f"the check {check.name!r} has both {asked[0]!r} and {asked[1]!r}"
        yield Finding((*here, asked[1]), what, "make two checks of it")
    elif check.expect is not None and check.expect not in check.probe.ANSWERS:
        what = f"{check.expect!r} cannot be the outcome of {asked[0]}"
        known = f"it is one of: {', '.join(check.probe.ANSWERS)}"
        hint = known if check.probe.ANSWERS else f"leave it out: {asked[0]!r} itself says what is expected"
        yield Finding((*here, "expect"), what, hint)


def _replies(check: Check, ping: Ping, here: Path) -> Iterator[Finding]:
    """Yield a finding where replies are measured that must not come."""
    if ping.bounded and check.expect not in (None, "reply"):
        key = "loss" if ping.loss is not None else "rtt"
        what = f"there are no replies to measure with 'expect: {check.expect}'"
        yield Finding((*here, "ping", key), what, f"leave {key!r} out, or expect a reply")


def _one_datagram(nc: Nc, here: Path) -> Iterator[Finding]:
    most = _LARGEST_DATAGRAM[nc.address.version]
    for key, text in (("send", nc.send), ("reply", nc.reply or "")):
        size = len(text.encode())
        if size > most:
            yield Finding((*here, key), f"{key!r} has {size} bytes", f"a UDP datagram carries {most} at most")


def _silence(topology: Topology, fibs: Mapping[str, Fib], check: Check, target: Host, path: Path) -> Iterator[Finding]:
    """Yield a finding where silence proves nothing: no host could have the address, and no packets are counted."""
    if check.expect not in ("no-reply", "not-delivered") or check.crosses:
        return
    owned = any(fib.owner_of(target) is not None for fib in fibs.values())
    if not owned and not any(target in network for network in _networks(topology)):
        what = f"the silence of {target} shows nothing: the address is in no network of this lab"
        hint = "name another address, or where the packets are to be counted: 'crosses'"
        yield Finding(path, what, hint, (("namespaces",),))


def _networks(topology: Topology) -> Iterator[Network]:
    """Yield the networks of the lab's addresses, and those that its routes lead to; a default route leads to none."""
    for namespace in topology.namespaces.values():
        for address, _ in connected(namespace.interfaces):
            yield address.network
        yield from (route.to for route in namespace.routes if route.to.prefixlen)


def _namespaces(topology: Topology, check: Check, here: Path) -> Iterator[Finding]:
    for kind, probe in check.probes.items():
        for key, name in probe.namespaces.items():
            unknown = unknown_namespace(topology, name, (*here, kind, key))
            if unknown is not None:
                yield unknown


def _interfaces(topology: Topology, check: Check, here: Path) -> Iterator[Finding]:
    for key, refs in (("crosses", check.crosses), ("quiet", check.quiet)):
        for index, ref in enumerate(refs):
            path = (*here, key, index)
            unknown = unknown_interface(topology, ref, path)
            if unknown is not None:
                yield unknown
            elif key == "crosses" and check.expect == "not-sent":
                what = f"nothing is sent, so nothing crosses {ref}"
                yield Finding(path, what, "name it in 'quiet', or expect another outcome")
            elif key == "quiet" and ref in check.crosses:
                yield Finding(path, f"{ref} is in 'crosses' too: packets on it cannot be none", "leave one of them out")


def _server(topology: Topology, fibs: Mapping[str, Fib], nc: Nc | Throughput, path: Path) -> Iterator[Finding]:
    server = topology.namespaces.get(nc.to)
    if server is None or fibs[nc.to].owner_of(nc.address) is not None:
        return
    own = [str(address.ip) for interface in server.interfaces.values() for address in interface.addresses]
    hint = f"its addresses: {listed(own)}" if own else "give an interface this address"
    what = f"the server cannot listen: {nc.address} is no address of {nc.to!r}"
    yield Finding(path, what, hint, (("namespaces", nc.to, "interfaces"), (*path[:3], "server")))


def _port(topology: Topology, nc: Nc | Throughput, path: Path) -> Iterator[Finding]:
    """Yield a finding where an engine has the UDP port already, on one address or on all."""
    for endpoint in topology.ttun:
        bind = endpoint.bind
        same_place = endpoint.device.namespace == nc.to and bind.port == nc.port and nc.protocol == "udp"
        if same_place and (bind.host == nc.address or bind.host.is_unspecified):
            what = f"the server cannot listen: the engine of {endpoint.device} is bound to {bind}"
            yield Finding(path, what, "choose another port")


def _program(check: Check, nc: Nc, path: Path) -> Iterator[Finding]:
    if nc.protocol == "udp" and nc.reply is None and check.expect != "not-sent":
        what = "nothing tells whether a datagram has arrived at a server that is a program of its own"
        yield Finding(path, what, "name its answer: 'reply', or use tcp")


def _answers(dns: Dns, here: Path) -> Iterator[Finding]:
    version = {"A": 4, "AAAA": 6}[dns.type]
    for index, address in enumerate(dns.is_):
        if address.version != version:
            what = f"{address} is no answer to a question of type {dns.type}"
            other = "AAAA" if version == 4 else "A"
            yield Finding((*here, "is", index), what, f"ask for it with a check of its own, of type {other}")


def _way(topology: Topology, check: Check, route: RouteLookup, here: Path) -> Iterator[Finding]:
    for index, ref in enumerate(check.crosses):
        what = f"a look-up sends no packet, so nothing crosses {ref}"
        yield Finding((*here[:2], "crosses", index), what, "leave it out, or send one, with ping for example")
    if route.src is not None and route.src.version != route.to.version:
        what = f"{route.src} is no address that a packet to {route.to} can have"
        yield Finding((*here, "src"), what, f"name one of IPv{route.to.version}")
    if route.dev is not None and route.in_ in topology.namespaces:
        unknown = unknown_interface(topology, InterfaceRef(route.in_, route.dev), (*here, "dev"))
        if unknown is not None:
            yield unknown
    for key in ("via", "dev", "src"):
        if check.expect == "not-sent" and getattr(route, key) is not None:
            what = f"a packet that is not sent has no {key!r}"
            yield Finding((*here, key), what, "leave it out, or leave out 'expect'")
