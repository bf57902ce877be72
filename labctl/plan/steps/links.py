"""Steps that make and remove interfaces, and set what they are."""

from __future__ import annotations

from labctl.frozen import frozen
from labctl.plan.facts import Facts, Link, Namespace
from labctl.plan.steps.step import InterfaceStep, Removal, unless
from labctl.topology.interface_ref import InterfaceRef

STAND_IN = "labctl: bridge stands in for dummy"
"""The alias of a bridge without ports that stands in where the kernel has no dummy driver."""


@frozen
class AddLink(InterfaceStep):
    """A dummy, bridge, tun or tap; `owner` is the user who may attach to a tun or tap."""

    action = "create"

    kind: str
    owner: str | None = None

    @property
    def words(self) -> str:
        return f"interface of kind {self.kind}" + (f", owner {self.owner}" if self.owner else "")

    def _on(self, link: Link) -> str | None:
        if link.kind != self.kind:
            return f"is a {link.kind}"
        return unless(link.owner == (self.owner or ""), f"its owner is {link.owner or 'not set'}")


@frozen
class AddVeth(InterfaceStep):
    """Both ends of a cable in one request, each created in its own namespace."""

    action = "create"

    peer: InterfaceRef

    @property
    def words(self) -> str:
        return f"veth to {self.peer}"

    def is_whole(self, facts: Facts) -> bool:
        """Return whether the cable is there, from the one end to the other."""
        here, there = facts.link(self.ref), facts.link(self.peer)
        return here is not None and there is not None and (here.peer, there.peer) == (self.peer, self.ref)

    def _in(self, there: Namespace, facts: Facts) -> str | None:
        return None if self.is_whole(facts) else super()._in(there, facts)

    def _on(self, link: Link) -> str | None:
        return f"leads to {link.peer or 'nothing of the lab'}" if link.kind == "veth" else f"is a {link.kind}"


class DeleteLink(Removal, InterfaceStep):
    """An interface; of a veth both ends."""

    @property
    def words(self) -> str:
        return "interface"


@frozen
class SetMac(InterfaceStep):
    """The hardware address."""

    mac: str

    @property
    def words(self) -> str:
        return f"MAC {self.mac}"

    def _on(self, link: Link) -> str | None:
        return unless(link.mac == self.mac, f"is {link.mac}")


@frozen
class SetMtu(InterfaceStep):
    """MTU in bytes."""

    mtu: int

    @property
    def words(self) -> str:
        return f"MTU {self.mtu}"

    def _on(self, link: Link) -> str | None:
        return unless(link.mtu == self.mtu, f"is {link.mtu}")


@frozen
class _Port(InterfaceStep):
    """Whether an interface is a port of a bridge of its namespace."""

    master: str

    @property
    def words(self) -> str:
        return f"port of bridge {self.master}"


class SetMaster(_Port):
    """Makes an interface a port of a bridge."""

    def _on(self, link: Link) -> str | None:
        return unless(link.master == self.master, f"is a port of {link.master}" if link.master else "is no port")


class ClearMaster(Removal, _Port):
    """Makes a port an interface of its own again."""


@frozen
class SetOption(InterfaceStep):
    """One option of `ip link set dev`, in its words: `arp`, or `type bridge_slave isolated`."""

    option: str
    value: str

    @property
    def words(self) -> str:
        return f"{self.option} {self.value}"

    def _on(self, link: Link) -> str | None:
        found = link.options.get(self.option, "not known")
        return unless(found == self.value, f"is {found}")


class SetUp(InterfaceStep):
    """Administratively up: what is sent through it is not refused."""

    @property
    def words(self) -> str:
        return "up"

    def _on(self, link: Link) -> str | None:
        return unless(link.up, "is down")
