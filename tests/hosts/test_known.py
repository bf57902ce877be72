"""What is said of a lab over hosts without its hosts, and in which order: as the file has it, whoever is the first."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from labctl.api.over_hosts.known import names, that_run
from labctl.api.over_hosts.task import Task
from labctl.api.over_hosts.up import Merged
from labctl.errors import UsageError
from labctl.hosts.record import Record
from labctl.lab.events import Planned
from labctl.learn.challenges.challenge import begin
from labctl.learn.lesson.load import load
from labctl.plan.change import Change
from labctl.plan.parts import parts
from labctl.plan.steps import AddNamespace
from labctl.topology.inventory import load_over
from labctl.topology.shipped import find
from tests.hosts.test_two_site import INVENTORY
from tests.hosts.test_up import APART

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


def test_challenges_and_lessons_refuse_a_file_with_hosts(tmp_path: Path) -> None:
    """Before anything is made: what is raised later would be what `up` says on a host that is not there."""
    (tmp_path / "apart.yaml").write_text(APART)
    (tmp_path / "lesson.md").write_text("---\ntitle: apart\ntopology: apart.yaml\n---\n")
    with pytest.raises(UsageError, match="lab apart is over the hosts srv1, srv2\na challenge is in a lab on one"):
        begin(str(tmp_path / "apart.yaml"), 1, 1)
    with pytest.raises(UsageError, match="lab apart is over the hosts srv1, srv2\na lesson has its labs on one"):
        load(tmp_path, 0)
