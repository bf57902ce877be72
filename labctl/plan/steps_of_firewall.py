"""The step that makes the firewall of a namespace."""

from __future__ import annotations

from dataclasses import dataclass

from labctl.plan.firewall import Firewall
from labctl.plan.steps import Step


@dataclass(frozen=True)
class SetFirewall(Step):
    """The firewall of a namespace, in one transaction: all tables that were there are replaced."""

    firewall: Firewall

    @property
    def words(self) -> str:
        return self.firewall.words
