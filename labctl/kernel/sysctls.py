"""Settings below /proc/sys, of this thread's namespace; those of an interface also come with its message."""

from __future__ import annotations

import errno
from collections.abc import Iterable, Iterator
from typing import Any

from labctl.errors import MachineError, kernel_words
from labctl.plan.settings import OF_INTERFACES

_NAMES = {"arp_filter": "arpfilter"}  # as the library has them that lays out the message


def read(paths: Iterable[str]) -> dict[str, str | None]:
    """Return the settings that are there, by their path; None for what can only be written."""
    return dict(_read(paths))


def _read(paths: Iterable[str]) -> Iterator[tuple[str, str | None]]:
    for path in paths:
        try:
            with open(f"/proc/sys/{path}") as file:
                yield path, " ".join(file.read().split())
        except PermissionError:
            yield path, None
        except OSError:
            continue


def write(path: str, value: str) -> None:
    """Set a setting; one that has this value already is well, whether it can be written or not.

    Raise MachineError where /proc/sys is read-only, OSError for what else the kernel refuses.
    """
    try:
        with open(f"/proc/sys/{path}", "w") as file:
            file.write(value)
    except OSError as error:
        found = read([path]).get(path)
        if found == " ".join(value.split()):
            return
        if error.errno != errno.EROFS:
            raise
        raise MachineError(
            f"the setting {path} cannot be made {value}" + (f", it is {found}" if found is not None else ""),
            f"/proc/sys: {kernel_words(error)}",
            "in a container: start it with --privileged; else, as root: mount -o remount,rw /proc/sys",
        ) from None


def of_link(link: Any) -> dict[str, str | None]:
    """Return the settings of one interface that matter, by their path (IFLA_INET_CONF, IFLA_INET6_CONF)."""
    families, name = link.get_attr("IFLA_AF_SPEC"), link.get_attr("IFLA_IFNAME")
    inet6 = families.get_attr("AF_INET6") if families else None
    tables = {
        "ipv4": families.get_attr("AF_INET") if families else None,
        "ipv6": inet6.get_attr("IFLA_INET6_CONF") if inet6 else None,
    }
    return {
        f"net/{protocol}/conf/{name}/{setting}": str(table[_NAMES.get(setting, setting)])
        for protocol, table in tables.items()
        for setting in OF_INTERFACES[protocol]
        if table
    }
