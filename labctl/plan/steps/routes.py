"""Steps that decide which way packets go: static routes, and the rules of the routing policy."""

from __future__ import annotations

from labctl.frozen import frozen
from labctl.plan.facts import Facts, Namespace
from labctl.plan.routes import Route, Rule, is_same_route
from labctl.plan.steps.step import ABSENT, Removal, Step, unless


@frozen
class _Route(Step):
    """A static route."""

    route: Route

    @property
    def words(self) -> str:
        return f"route {self.route.words}"


class AddRoute(_Route):
    """A static route."""

    action = "create"

    def _in(self, there: Namespace, facts: Facts) -> str | None:
        return unless(any(is_same_route(self.route, route) for route in there.routes), ABSENT)


class DeleteRoute(Removal, _Route):
    """Exactly that route."""


@frozen
class _Rule(Step):
    """A rule of the routing policy."""

    rule: Rule

    @property
    def words(self) -> str:
        version = "IPv6 " if self.rule.family == "inet6" else ""
        return f"{version}rule {self.rule.priority}: {self.rule.words}"


class AddRule(_Rule):
    """A rule of the routing policy."""

    action = "create"

    def _in(self, there: Namespace, facts: Facts) -> str | None:
        return unless(any(self.rule in rules for rules in there.rules.values()), ABSENT)


class DeleteRule(Removal, _Rule):
    """Exactly that rule."""
