"""What a namespace has beside its interfaces: routes, rules, NAT, neighbours, files, and sysctls that belong to it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from labctl.topology.model import Namespace, Topology
from labctl.topology.paths import Key
from labctl.topology.routing import LOOPBACK
from labctl.topology.rules.files import of_files
from labctl.topology.rules.finding import Finding
from labctl.topology.rules.firewall import of_masquerade
from labctl.topology.rules.neighbours import of_neighbours
from labctl.topology.rules.routes import of_routes, of_rules
from labctl.topology.unknown_names import did_you_mean
from labctl.topology.values import SAME_SYSCTL, sysctl_parts

_SYSCTL_PART = re.compile(r"[A-Za-z0-9_.:@-]+")


def of_namespaces(topology: Topology) -> Iterator[Finding]:
    """Yield what is wrong with routes, rules, masquerading, neighbours, files and sysctls."""
    for where, namespace in topology.namespaces.items():
        yield from of_routes(topology, where, namespace)
        yield from of_rules(topology, where, namespace)
        yield from of_masquerade(topology, where, namespace)
        yield from of_neighbours(topology, where, namespace)
        yield from of_files(where, namespace)
        yield from _sysctls(where, namespace)


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
