"""Whether this process may make network namespaces on the machine itself (capabilities(7))."""

from __future__ import annotations

from labctl.process.proc import status_field

CAP_NET_ADMIN, CAP_SYS_ADMIN = 12, 21


def has_network_rights() -> bool:
    """Return whether it has CAP_SYS_ADMIN, which makes and enters namespaces, and CAP_NET_ADMIN, which fills them."""
    needed = 1 << CAP_NET_ADMIN | 1 << CAP_SYS_ADMIN
    return int(status_field("CapEff") or "0", 16) & needed == needed
