"""What is said of a lab over hosts without its hosts, and in which order: as the file has it, whoever is the first."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from labctl.api.over_hosts.known import names, that_run
from labctl.api.over_hosts.sessions import Task
from labctl.api.over_hosts.up import Merged
from labctl.errors import UsageError
from labctl.hosts.record import Record
from labctl.lab.events import Planned
from labctl.plan.change import Change
from labctl.plan.parts import parts
from labctl.plan.steps import AddNamespace
from labctl.topology.inventory import load_over
from labctl.topology.shipped import find
from tests.hosts.test_two_site import INVENTORY

HOSTS = ("srv1", "srv2")


@pytest.fixture(scope="module")
def record(tmp_path_factory: pytest.TempPathFactory) -> Record:
    inventory = tmp_path_factory.mktemp("known") / "inventory.yaml"
    inventory.write_text(INVENTORY)
    topology = load_over(find("two-site"), inventory).topology
    made = Record.of(topology, parts(topology), "two-site")
    return made.completed(topology, dict.fromkeys(HOSTS, "mark"))


def test_engines_of_tunnels_and_of_cables_are_known_by_name(record: Record) -> None:
    assert names(record).devices == ("siteA:tun0", "siteB:tun1", "siteA:wan0", "siteB:wan0")
    assert that_run(record, ()) == {"srv1": ["siteA:tun0", "siteA:wan0"], "srv2": ["siteB:tun1", "siteB:wan0"]}
    assert that_run(record, ("siteB:wan0",)) == {"srv2": ["siteB:wan0"]}


def test_a_name_that_is_none_is_told_with_those_of_all_hosts(record: Record) -> None:
    with pytest.raises(UsageError, match="it has: siteA:tun0, siteB:tun1, siteA:wan0, siteB:wan0"):
        that_run(record, ("siteA",))


def work_on(host: str) -> Task[Any]:
    return cast("Task[Any]", SimpleNamespace(host=host))


def test_what_is_planned_is_told_in_the_order_of_the_hosts() -> None:
    told: list[object] = []
    merged = Merged("one", HOSTS, told.append)
    left, right = (Change(AddNamespace(name), "") for name in ("left", "right"))
    merged.hear(work_on("srv2"), Planned("one", (right,), True))
    merged.hear(work_on("srv1"), Planned("one", (left,), True))
    assert told == [Planned("one", (left, right), True)]
