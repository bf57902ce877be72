"""Steps that decide behind which MAC address an IP address is, and behind which port of a bridge a MAC address."""

from __future__ import annotations

from labctl.frozen import frozen
from labctl.plan.facts import Link, Neighbour
from labctl.plan.steps.step import ABSENT, InterfaceStep, Removal, unless


@frozen
class _Neighbour(InterfaceStep):
    """An entry of the neighbour table: ARP or NDP, or one that is answered for another host (proxy)."""

    neighbour: Neighbour

    @property
    def words(self) -> str:
        to, lladdr, state = self.neighbour.to, self.neighbour.lladdr, self.neighbour.state
        return f"proxy neighbour {to}" if state == "proxy" else f"neighbour {to} lladdr {lladdr} {state}"


class AddNeighbour(_Neighbour):
    """An entry that stays, in place of any other for its address."""

    action = "create"

    def _on(self, link: Link) -> str | None:
        found = next((each for each in link.neighbours if self.neighbour.is_in_place_of(each)), None)
        return ABSENT if found is None else unless(found == self.neighbour, f"is {found.lladdr} {found.state}")


class DeleteNeighbour(Removal, _Neighbour):
    """Exactly that entry."""


@frozen
class DeleteForwarding(Removal, InterfaceStep):
    """A static entry of a bridge's forwarding database: a MAC address behind a port."""

    mac: str

    @property
    def words(self) -> str:
        return f"fdb entry {self.mac}"
