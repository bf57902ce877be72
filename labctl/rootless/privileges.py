"""Whether this process may make network namespaces on the machine itself (capabilities(7))."""

from __future__ import annotations

from pathlib import Path

CAP_NET_ADMIN, CAP_SYS_ADMIN = 12, 21


def has_network_rights() -> bool:
    """Return whether it has CAP_SYS_ADMIN, which makes and enters namespaces, and CAP_NET_ADMIN, which fills them."""
    needed = 1 << CAP_NET_ADMIN | 1 << CAP_SYS_ADMIN
    return int(status_field("CapEff") or "0", 16) & needed == needed


def status_field(name: str) -> str | None:
    """Return a field of /proc/self/status (proc(5)), None where this kernel has no such field."""
    for line in Path("/proc/self/status").read_text(errors="replace").splitlines():
        if line.startswith(f"{name}:"):
            return line.split()[1]
    return None
