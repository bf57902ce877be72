"""What hosts answer: whatever labctl sends comes back as it was, and nothing else is built of what is received."""

from __future__ import annotations

import ipaddress
import json
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labctl.checks.evidence import Snapshot
from labctl.errors import CommandFailed, UsageError
from labctl.hosts import answers
from labctl.lab.cables.status import CableStatus
from labctl.lab.events import Done, Planned
from labctl.lab.status import HostStatus, Status
from labctl.plan.desired import desired
from labctl.plan.facts import NOTHING, LinkCounters
from labctl.plan.plan import between
from labctl.topology.interface_ref import InterfaceRef
from labctl.topology.load import load
from labctl.topology.shipped import find, names
from labctl.trace.ladder import Hop

KEYS = st.none() | st.booleans() | st.integers() | st.text() | st.binary() | st.ip_addresses()
VALUES = st.recursive(
    KEYS | st.floats(allow_nan=False),
    lambda inner: (
        st.lists(inner)
        | st.lists(inner).map(tuple)
        | st.dictionaries(KEYS, inner)
        | st.frozensets(KEYS)
        | st.sets(KEYS)
    ),
    max_leaves=8,
)


@given(VALUES)
def test_plain_data_comes_back_as_it_was(value: Any) -> None:
    back = answers.loads(answers.dumps(value))
    assert back == value
    assert type(back) is type(value)


@pytest.mark.parametrize("name", names())
def test_a_topology_and_its_plan_come_back_as_they_were(name: str) -> None:
    topology = load(find(name))
    changes = between(desired(topology), NOTHING).changes
    sent = (topology, Planned(name, changes, True), [Done(change.step) for change in changes])
    back = answers.loads(answers.dumps(sent))
    assert back == sent
    assert hash(back[1]) == hash(sent[1])
    assert back[0].as_record() == topology.as_record()


def test_named_tuples_enums_and_errors_come_back_as_they_were() -> None:
    ref = InterfaceRef("a", "v")
    snapshot = Snapshot({ref: LinkCounters(rx_packets=3)}, {ref: {"in_empty": 1}})
    for sent in (snapshot, HostStatus("srv1", ("a",), True), next(iter(Hop)), ipaddress.ip_interface("10.0.0.1/8")):
        back = answers.loads(answers.dumps(sent))
        assert (back, type(back)) == (sent, type(sent))
    error = answers.loads(answers.dumps(UsageError("what", "why", "hint")))
    assert (type(error), error.what, error.why, error.hint) == (UsageError, "what", "why", "hint")
    failed = answers.loads(answers.dumps(CommandFailed(["ip", "x"], 1, "", "no")))
    assert (failed.command, failed.returncode) == (["ip", "x"], 1)


@pytest.mark.parametrize(
    "sent",
    [
        ["os:system", ["true"]],
        ["subprocess:Popen", [["true"]]],
        ["labctl.process.syscalls:mount", ["a", "b"]],
        ["labctl.lab.state:State", {"lab": "x"}],
        ["labctl.lab.state:os", {}],
        ["labctl.lab.status:Topology", {}, []],
        ["labctl.cli.base:cli", {}],
        ["labctl.lab.status:HostStatus", {"host": "a"}],
        ["labctl.lab.status:HostStatus", {"host": 1, "namespaces": ["tuple", []], "reached": True, "why": ""}],
        ["labctl.lab.status:HostStatus", {"host": "a", "namespaces": ["tuple", [1]], "reached": True, "why": ""}],
        ["labctl.lab.status:HostStatus", {"host": "a", "namespaces": ["list", []], "reached": True, "why": ""}],
        ["labctl.topology.interface_ref:InterfaceRef", ["a", 1]],
        ["labctl.topology.interface_ref:InterfaceRef", ["a"]],
        ["labctl.errors:LabError", ["what", 1]],
        ["labctl.errors:LabError"],
        ["eval", ["1"]],
        ["IPv4Address", "no address"],
        ["Decimal", "no number"],
        ["labctl.lab.no_module:State", {}],
        ["labctl.engine.__main__:main", {}],
        [],
        {"a": 1},
    ],
    ids=str,
)
def test_what_labctl_never_sends_is_refused(sent: Any) -> None:
    with pytest.raises(answers.NotPlain):
        answers.loads(json.dumps(sent).encode())


@given(st.binary() | st.recursive(st.none() | st.text(), st.lists).map(lambda tree: json.dumps(tree).encode()))
def test_any_answer_is_plain_data_or_refused(answer: bytes) -> None:
    try:
        answers.loads(answer)
    except answers.NotPlain:
        return


def test_what_is_no_plain_data_is_not_sent() -> None:
    for value in (object(), print, Path):
        with pytest.raises(answers.NotPlain):
            answers.dumps(value)


def test_a_field_is_of_the_type_that_its_module_imports_for_a_type_checker_alone() -> None:
    """As the cables of a Status, whose type a lab on one machine does not load."""
    status = Status("lab", "root", "", {}, (), cables=(cable(),))
    assert answers.loads(answers.dumps(status)) == status
    lies = answers.dumps(replace(status, cables=cast("Any", (InterfaceRef("a", "v"),))))
    with pytest.raises(answers.NotPlain, match="cables of Status is of type tuple"):
        answers.loads(lies)


def cable() -> CableStatus:
    return CableStatus("a:v", "a:v-b:v", "b:v", "srv2", True, 7, 47000, None, "up", 1500, 1434, {"in": 1}, ())
