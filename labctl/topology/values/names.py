"""Names: of labs, namespaces, interfaces and users."""

from __future__ import annotations

import re
from typing import Any

from labctl.topology.interface_ref import InterfaceRef
from labctl.topology.values.text import as_text, mistake

LONGEST_LAB = 40  # bytes; with a user ID it is the name of a rootless environment, a unix(7) address of 107
LONGEST_NAMESPACE = 60
LARGEST_UID = 2**32 - 2  # the one above it means no user, as in chown(2)
IFNAMSIZ = 16  # linux/if.h: 15 bytes and the terminating zero
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")


def check_name(value: Any, kind: str, longest: int) -> str:
    """Return a name that is safe as a file name and as a word in a shell."""
    article = "an" if kind[0] in "aeio" else "a"
    name = as_text(value, f"the name of {article} {kind}")
    if not name:
        raise mistake(f"{article} {kind} needs a name, this one is empty")
    size = len(name.encode())
    if size > longest:
        raise mistake(
            f"the {kind} name {name!r} has {size} bytes, the longest allowed has {longest}", "choose a shorter name"
        )
    if not _NAME.fullmatch(name):
        raise mistake(
            f"{name!r} cannot be the name of {article} {kind}",
            "use letters, digits, '_', '-' and '.'; begin with a letter, a digit or '_'",
        )
    return name


def parse_interface_name(value: Any) -> str:
    """Return the name of an interface, as the kernel takes it."""
    name = check_name(value, "interface", IFNAMSIZ - 1)
    if name in ("all", "default"):  # devinet_sysctl_register() refuses both
        raise mistake(f"the kernel keeps the name {name!r} for sysctls", "choose another name")
    return name


def parse_interface_names(value: Any) -> Any:
    """Return a list of names of interfaces; one name alone is a list of one."""
    return value if isinstance(value, list | tuple) else (parse_interface_name(value),)


def parse_interface_ref(value: Any) -> InterfaceRef:
    """Return an interface that is written NAMESPACE:INTERFACE."""
    if isinstance(value, InterfaceRef):
        return value
    text = as_text(value, "an interface as NAMESPACE:INTERFACE")
    ref = InterfaceRef.typed(text)
    if not all(ref):
        raise mistake(f"{text!r} is no interface", "write NAMESPACE:INTERFACE, for example siteA:tun0")
    return ref


def parse_user(value: Any) -> str:
    """Return the name or the ID of a user."""
    name = check_name(value, "user", 32)
    if name.isdigit() and int(name) > LARGEST_UID:
        raise mistake(f"{name!r} is no user ID", f"the largest is {LARGEST_UID}; or write the name of the user")
    return name
