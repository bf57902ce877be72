"""Kinds of interfaces, as a file has them and as the kernel does."""

from __future__ import annotations

from labctl.kernel.link_message import LinkMessage
from labctl.plan.commands import STAND_IN


def kind_of(told: LinkMessage) -> tuple[str, str]:
    """Return the kind of an interface as a file has it, and the kind that stands in for it or an empty string."""
    if told.alias == STAND_IN:
        return "dummy", told.driver
    # The driver calls both tun; only a TAP has a hardware address.
    return ("tap" if told.driver == "tun" and told.mac else told.driver), ""
