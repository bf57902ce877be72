"""The lines of shell that faults and their solutions are made of, as a person types them in a namespace.

nft(8) and sysctl(8) are in directories that the PATH of an ordinary user may lack, so settings are written where the
kernel has them, and PATH is made longer for the others.
"""

from __future__ import annotations

from collections.abc import Iterable

from labctl.learn.changes import Action, Impair, Restart, Run, Start
from labctl.plan.routes import Route
from labctl.topology.interface_ref import InterfaceRef

_PATH = "PATH=$PATH:/usr/sbin:/sbin; "


def run(namespace: str, *lines: str) -> tuple[Run, ...]:
    """Return a change for each line, in a namespace."""
    return tuple(Run(namespace, f"{_PATH}{line}") for line in lines)


def ip(version: int) -> str:
    """Return the command for routes, rules and addresses of an IP version."""
    return "ip -6" if version == 6 else "ip"


def add_routes(routes: Iterable[Route]) -> tuple[str, ...]:
    """Return what makes routes that are not there, or others of their destination."""
    return tuple(f"{ip(route.version)} route replace {route.words}" for route in routes)


def setting(path: str, value: str | int) -> str:
    """Return what writes a setting of the network: net/ipv4/ip_forward."""
    return f"echo {value} > /proc/sys/{path}"


def forget_each_other(*ends: InterfaceRef) -> tuple[Run, ...]:
    """Return what has both ends of a link forget the neighbours there: who asks is known to whom it asks (RFC 826)."""
    return tuple(change for namespace, name in ends for change in run(namespace, f"ip neigh flush dev {name}"))


def signal(device: str, name: str) -> str:
    """Return what sends a signal to the process of this namespace that has a TUN device open."""
    here = '[ "$(readlink $p/ns/net)" = "$(readlink /proc/self/ns/net)" ]'
    reads = f"grep -qsx 'iff:.{device}' $p/fdinfo/*"
    return f"for p in /proc/[0-9]*; do {here} && {reads} && kill -{name} ${{p#/proc/}}; done; true"


def signal_udp(port: int, name: str) -> str:
    """Return what sends a signal to the processes of this namespace that have a UDP port."""
    return f"kill -{name} $(ss -Hulnp sport = :{port} | grep -o 'pid=[0-9]*' | cut -d= -f2 | sort -u)"


def rule(hook: str, what: str, *, table: str = "inet", kind: str = "filter", priority: int = 0) -> str:
    """Return what adds a rule of nftables, in a table of its own."""
    chain = f"add chain {table} {TABLE} c {{ type {kind} hook {hook} priority {priority} ; }}"
    return f"nft 'add table {table} {TABLE}; {chain}; add rule {table} {TABLE} c {what}'"


TABLE = "filter2"
"""A name that says nothing: the rules of a firewall are what is to be read."""


def no_rule(table: str = "inet") -> str:
    """Return what takes away the table of `rule`."""
    return f"nft delete table {table} {TABLE}"


def as_typed(change: Action) -> str:
    """Return a change as a person types it, with the namespace in which."""
    match change:
        case Run(namespace, line) | Start(namespace, line):
            return f"{namespace}: {line.removeprefix(_PATH)}"
        case Impair(device, words, direction):
            told = " ".join(f"--{word} {value}" for word, value in words.items()) or "--reset"
            return f"labctl impair {device} {told}{'' if direction == 'out' else ' --direction in'}"
        case Restart(name):
            return f"labctl restart {name}"
