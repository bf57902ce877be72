"""No file that is right ends in "labctl itself failed": whatever it says, all that is made of it can be made."""

from __future__ import annotations

import shlex

from hypothesis import event, given, settings
from rich.console import Console

from labctl.checks.kinds import kind_of
from labctl.engine import ttun
from labctl.errors import UsageError
from labctl.kernel import routes, rules
from labctl.lab.engines.engine_process import endpoint_of
from labctl.plan.commands import command, stand_in
from labctl.plan.desired import desired
from labctl.plan.facts import NOTHING
from labctl.plan.parts import parts
from labctl.plan.plan import between
from labctl.plan.routes import is_same_route
from labctl.plan.script import script
from labctl.plan.steps import AddRoute, AddRule, StartEngine
from labctl.process.users import uid_of
from labctl.report.tree import LabTree
from labctl.topology.interface_ref import InterfaceRef
from labctl.topology.load import loads
from labctl.topology.model import Topology
from labctl.topology.rename import renamed
from labctl.topology.routed import Routed
from tests.topology.near_the_edge import near_the_edge

NO_USER = 2**32 - 1  # chown(2)


class Indexes(dict[str, int]):
    """An index for every interface that is asked for."""

    def __missing__(self, name: str) -> int:
        return self.setdefault(name, len(self) + 1)


class Names(dict[int, str]):
    """The name of an interface by its index."""

    def get(self, index: int, default: str | None = None) -> str | None:  # type: ignore[override]
        return next((name for name, number in INDEXES.items() if number == index), default)


INDEXES = Indexes()
NAMES = Names()


def make_all_of(topology: Topology) -> None:
    """All that is made of a topology before the kernel is asked for anything."""
    assert Topology.of_record(topology.as_record()) == topology
    tree = LabTree(topology.name)
    wanted = desired(topology)
    for step, _ in between(wanted, NOTHING).changes:
        assert command(step) and step.words and stand_in(step) is not None
        tree.grow(step)
        if isinstance(step, AddRoute):
            assert is_same_route(step.route, routes.decoded(routes.encoded(step.route, INDEXES), NAMES))
        if isinstance(step, AddRule):
            assert rules.decoded(rules.encoded(step.rule), step.rule.family) == step.rule
        if isinstance(step, StartEngine) and not step.spec.program:
            typed = ttun.ttun_parser().parse_args(shlex.split(step.spec.command)[1:])
            assert ttun.endpoint_of(typed) == endpoint_of(step.spec)
    Console(quiet=True).print(tree)
    assert script(wanted)
    for where, namespace in topology.namespaces.items():
        for name, interface in namespace.interfaces.items():
            owner = getattr(interface, "owner", None) or "0"
            assert not owner.isdigit() or uid_of(owner) < NO_USER
            assert 68 <= wanted.mtus.of(InterfaceRef(where, name)) <= 65536
    for check in topology.checks:
        assert kind_of(check.probe).expectation("answered")


@settings(deadline=None, max_examples=200)
@given(near_the_edge())
def test_all_can_be_made_of_a_file_that_is_right(text: str) -> None:
    try:
        topology = loads(text, "lab.yaml")
    except UsageError:
        event("wrong")
        return
    event("right")
    make_all_of(topology)
    for part in parts(topology).values():
        make_all_of(part)
    try:
        other = renamed(Routed.of(topology), "another")
    except UsageError:
        return
    make_all_of(other.topology)
    again = Routed.of(other.topology)
    assert list(other.ways.items()) == list(again.ways.items())
