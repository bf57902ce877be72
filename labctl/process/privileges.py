"""Whether this process may make network namespaces on the machine itself (capabilities(7))."""

from __future__ import annotations

from pathlib import Path

CAP_NET_ADMIN, CAP_SYS_ADMIN = 12, 21


def has_network_rights() -> bool:
    """CAP_SYS_ADMIN makes and enters namespaces, CAP_NET_ADMIN fills them; the user ID alone says nothing."""
    needed = 1 << CAP_NET_ADMIN | 1 << CAP_SYS_ADMIN
    return effective_capabilities() & needed == needed


def in_user_namespace() -> bool:
    """Return whether this is a user namespace other than the machine's own, which maps every user ID to itself."""
    return Path("/proc/self/uid_map").read_text().split() != ["0", "0", str(2**32 - 1)]


def effective_capabilities() -> int:
    """The effective set as a bit mask."""
    return int(status_field("CapEff") or "0", 16)


def status_field(name: str) -> str | None:
    """A field of /proc/self/status (proc(5))."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return line.split()[1]
    return None
