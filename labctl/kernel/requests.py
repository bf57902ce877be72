"""Requests that make and change interfaces and addresses, as pyroute2 lays them out.

Only what changes a lab needs them, and to load the library takes as long as a look at a lab.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from labctl.frozen import frozen
from labctl.kernel.rtnetlink import HEADER
from labctl.process.submodule_import import submodules_of

# `import pyroute2` loads every protocol that the library speaks, which takes longer than making a whole lab.
with submodules_of("pyroute2"):
    from pyroute2.netlink.rtnl.ifaddrmsg import ifaddrmsg as ifaddrmsg
    from pyroute2.netlink.rtnl.ifinfmsg import ifinfmsg as ifinfmsg


Attributes = tuple[tuple[str, Any], ...]
"""Names and values; a value may be attributes again, or an Interface."""


@frozen
class Interface:
    """What a request says of an interface: its index, 0 where it has none yet, and attributes."""

    index: int
    attributes: Attributes


@lru_cache(maxsize=1024)
def link(index: int, attributes: Attributes = (), flags: int = 0, change: int = 0) -> bytes:
    """Return an ifinfmsg, encoded once: most are sent to many namespaces."""
    message = ifinfmsg()
    message["index"], message["flags"], message["change"] = index, flags, change
    message["attrs"] = _nested(attributes)
    return encoded(message)


def new_link(name: str, kind: str, index: int = 0, data: Attributes = ()) -> bytes:
    """Return what makes an interface; where the index is 0 the kernel chooses one."""
    info: Attributes = (("IFLA_INFO_KIND", kind),)
    if data:
        info += (("IFLA_INFO_DATA", data),)
    return link(index, (("IFLA_IFNAME", name), ("IFLA_LINKINFO", info)))


def _nested(attributes: Attributes) -> list[tuple[str, Any]]:
    """Return attributes as pyroute2 takes them."""
    return [(name, _value(value)) for name, value in attributes]


def _value(value: Any) -> Any:
    match value:
        case Interface(index=index, attributes=attributes):
            return {"index": index, "attrs": _nested(attributes)}
        case tuple():
            return {"attrs": _nested(value)}
        case _:
            return value


def encoded(message: Any) -> bytes:
    """Return a message of pyroute2's as bytes, without the header."""
    message.encode()
    return bytes(message.data[HEADER.size :])
