"""The address of a name, as seen in a namespace: by its /etc/hosts, and by the name server of its /etc/resolv.conf.

The C library would do the same, and more: it may ask a daemon of the machine, which is in another network. So the two
files are read here as the programs of the namespace see them, and the name server is asked from that namespace.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from ipaddress import ip_address
from pathlib import Path

from labctl.errors import LabError
from labctl.kernel.inside_view import in_view
from labctl.topology.values import Host

HOSTS, RESOLV = "/etc/hosts", "/etc/resolv.conf"

MOST = 1 << 20
"""Bytes of a file that are read."""


def in_hosts(namespace: str, name: str) -> list[Host]:
    """Return the addresses that /etc/hosts of a namespace has for a name."""
    return list(addresses(_seen(namespace, HOSTS), name))


def name_servers(namespace: str) -> list[Host]:
    """Return the name servers in /etc/resolv.conf of a namespace."""
    return list(servers(_seen(namespace, RESOLV)))


def addresses(hosts: str, name: str) -> Iterator[Host]:
    """Yield the addresses of a name in the text of hosts(5)."""
    for line in hosts.splitlines():
        first, *names = line.partition("#")[0].split() or [""]
        if name.lower() in map(str.lower, names):
            with suppress(ValueError):  # a line that is no entry
                yield ip_address(first)


def servers(resolv: str) -> Iterator[Host]:
    """Yield the name servers in the text of resolv.conf(5)."""
    for line in resolv.splitlines():
        match line.split():
            case ["nameserver", address, *_]:
                with suppress(ValueError):
                    yield ip_address(address)


def _seen(namespace: str, path: str) -> str:
    """Return what a file has, as the programs of a namespace see it; nothing where there is none."""
    try:
        return in_view(namespace, lambda _: _text(path))
    except LabError:  # the namespace is gone
        return ""


def _text(path: str) -> str:
    try:
        with Path(path).open("rb") as file:
            return file.read(MOST).decode(errors="replace")
    except OSError:
        return ""
