"""Kinds of interfaces, as a file has them and as the kernel does."""

from __future__ import annotations

from labctl.plan.steps import STAND_IN


def told_kind(kind: str, alias: str, mac: str) -> tuple[str, str]:
    """Return the kind of an interface as a file has it, and the kind that stands in for it or an empty string."""
    if alias == STAND_IN:
        return "dummy", kind
    # The driver calls both tun; only a TAP has a hardware address.
    return ("tap" if kind == "tun" and mac else kind), ""
