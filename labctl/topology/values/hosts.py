"""The values of `hosts:`, the machines of a lab: what each is called, where it is reached, the ports of its cables."""

from __future__ import annotations

import ipaddress
import re
from typing import Any, NamedTuple

from labctl.topology.values import as_text, check_name, mistake, parse_host, parse_port

LONGEST_NAME = 253  # RFC 1035, section 2.3.4, without the length bytes at both ends

_NAME = "[A-Za-z0-9_][A-Za-z0-9_.-]*"
_DESTINATION = re.compile(
    rf"(?P<scheme>ssh://)?(?:(?P<user>[A-Za-z0-9_][A-Za-z0-9_.@+-]*)@)?"
    rf"(?P<host>{_NAME}|\[[0-9A-Fa-f:.]+\]|[0-9A-Fa-f:]*:[0-9A-Fa-f:.]*)(?::(?P<port>[0-9]+))?/?"
)


class PortRange(NamedTuple):
    """UDP ports from the first to the last, both included."""

    first: int
    last: int

    def __str__(self) -> str:
        return str(self.first) if self.first == self.last else f"{self.first}-{self.last}"

    @property
    def size(self) -> int:
        """Return how many ports these are."""
        return self.last - self.first + 1


class Destination(NamedTuple):
    """What ssh(1) logs in to: [USER@]HOST, or ssh://[USER@]HOST:PORT."""

    host: str
    user: str | None = None
    port: int | None = None

    def __str__(self) -> str:
        user = f"{self.user}@" if self.user else ""
        if self.port is None:
            return f"{user}{self.host}"
        return f"ssh://{user}{f'[{self.host}]' if ':' in self.host else self.host}:{self.port}"


def parse_port_range(value: Any) -> PortRange:
    """Return a range of ports that is written FIRST-LAST, or one port."""
    if isinstance(value, PortRange):
        return value
    text = as_text(value, "a range of ports")
    first, dash, last = text.partition("-")
    found = PortRange(parse_port(first), parse_port(last if dash else first))
    if found.first > found.last:
        raise mistake(f"{text!r} is no range of ports", f"write {found.last}-{found.first}")
    return found


def parse_host_address(value: Any) -> str:
    """Return the address of a host: an IP address, or a name of DNS or of a hosts file."""
    text = as_text(value, "an address")
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return check_name(text, "host", LONGEST_NAME)
    host = parse_host(text)
    if host.is_unspecified or host.is_multicast:
        raise mistake(f"{text!r} cannot be the address of a host", "name the address that the other hosts send to")
    return str(host)


def parse_destination(value: Any) -> Destination:
    """Return what ssh(1) is to log in to. No part of it can be taken for an option of ssh."""
    if isinstance(value, Destination):
        return value
    text = as_text(value, "a destination of ssh")
    found = _DESTINATION.fullmatch(text)
    if found is None or (found["port"] and not found["scheme"]):
        raise mistake(f"{text!r} is no destination of ssh", "for example lab@192.0.2.10 or ssh://lab@192.0.2.10:2222")
    host = parse_host_address(found["host"].strip("[]"))
    return Destination(host, found["user"], parse_port(found["port"]) if found["port"] else None)


def not_about_names(value: Any) -> Any:
    """Return the machines of a lab. Raise a mistake for what turned off the hosts file in earlier versions."""
    if isinstance(value, bool):
        hint = f"whether namespaces know one another by name is said by `hosts_file: {str(value).lower()}`"
        raise mistake("`hosts` are the machines of a lab, each by its name", hint)
    return value
