"""The link-local addresses that the kernel gives to interfaces by itself."""

from __future__ import annotations

ADDRGENMODES = ("eui64", "none", "stable-privacy", "random")
"""In the order of their numbers (linux/if_link.h: IN6_ADDR_GEN_MODE_*)."""


def link_local_settings(mode: str) -> dict[str, str]:
    """Return the settings with which an interface gets a link-local address, with no wait and no further packets."""
    return {"accept_dad": "0", "router_solicitations": "0", "addr_gen_mode": str(ADDRGENMODES.index(mode))}
