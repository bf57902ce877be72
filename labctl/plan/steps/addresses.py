"""Steps that assign addresses to interfaces, and have the kernel assign them or not."""

from __future__ import annotations

from labctl.frozen import frozen
from labctl.plan.facts import Link
from labctl.plan.steps.step import ABSENT, InterfaceStep, Removal, unless

ADDRGENMODES = ("eui64", "none", "stable-privacy", "random")
"""How the kernel makes link-local addresses, in the order of the numbers (linux/if_link.h: IN6_ADDR_GEN_MODE_*)."""


class NoAutomaticAddresses(InterfaceStep):
    """No IPv6 address by itself: the router solicitations that follow one would blur every count."""

    @property
    def words(self) -> str:
        return "no IPv6 address of its own (addrgenmode none)"

    def _on(self, link: Link) -> str | None:
        return _addrgenmode(link, "none")


@frozen
class AutomaticAddresses(InterfaceStep):
    """The link-local IPv6 address of its own, without which an interface finds no IPv6 neighbour."""

    mode: str  # eui64; random for an interface that has no hardware address

    @property
    def settings(self) -> dict[str, str]:
        """The settings with which it gets the address, with no wait and no further packets."""
        return {"accept_dad": "0", "router_solicitations": "0", "addr_gen_mode": str(ADDRGENMODES.index(self.mode))}

    @property
    def words(self) -> str:
        return f"link-local IPv6 address of its own (addrgenmode {self.mode})"

    def _on(self, link: Link) -> str | None:
        return _addrgenmode(link, self.mode)


def _addrgenmode(link: Link, mode: str) -> str | None:
    return unless(link.addrgenmode == mode, f"is {link.addrgenmode}" if link.addrgenmode else "has no IPv6")


@frozen
class _Address(InterfaceStep):
    """An address with its prefix length, as the kernel shows it."""

    address: str

    @property
    def words(self) -> str:
        return f"address {self.address}"


class AddAddress(_Address):
    """An address with its prefix length."""

    action = "create"

    def _on(self, link: Link) -> str | None:
        return unless(self.address in link.addresses, ABSENT)


class DeleteAddress(Removal, _Address):
    """An address with its prefix length, as the kernel shows it."""
