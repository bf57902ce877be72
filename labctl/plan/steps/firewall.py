"""Steps that make the firewall of a namespace, and remove what filters or changes packets and is not in the file."""

from __future__ import annotations

from labctl.frozen import frozen
from labctl.plan.facts import Facts, Namespace
from labctl.plan.firewall import Firewall, difference
from labctl.plan.steps.step import Removal, Step, many


@frozen
class SetFirewall(Step):
    """The firewall of a namespace, in one transaction: all tables that were there are replaced."""

    firewall: Firewall

    @property
    def words(self) -> str:
        return self.firewall.words

    def _in(self, there: Namespace, facts: Facts) -> str | None:
        return difference(self.firewall, there.firewall, there.listing)


@frozen
class DeleteTable(Removal):
    """A table of nftables, with all that is in it."""

    family: str
    name: str
    chains: int
    rules: int

    @property
    def words(self) -> str:
        return f"nftables table {self.family} {self.name} ({many(self.chains, 'chain')}, {many(self.rules, 'rule')})"


@frozen
class FlushXfrm(Removal):
    """All IPsec policies, or all states."""

    what: str
    number: int

    @property
    def words(self) -> str:
        return f"xfrm {self.what} ({self.number} of them)"
