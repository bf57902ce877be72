"""What `up` would do over hosts: nothing is touched, and what is told is what `up` then does."""

from __future__ import annotations

from tests.hosts.conftest import Wire
from tests.hosts.test_up import APART


def test_a_plan_is_of_all_hosts(wire: Wire) -> None:
    near, (srv1, srv2) = wire.near, wire.hosts
    file = near.file("apart.yaml", APART)
    planned = near.json("plan", file, code=1)
    assert {step["subject"] for step in planned["changes"]} >= {"a", "a:v", "b", "b:v", "c", "c:t"}
    assert near.json("list") == srv1.json("list") == []
    near.labctl("up", file)
    assert near.json("plan", file)["changes"] == []
    srv2.labctl("exec", "c", "--", "ip", "addr", "del", "10.3.0.1/24", "dev", "t")
    (step,) = near.json("plan", file, code=1)["changes"]
    assert (step["subject"], step["change"]) == ("c:t", "address 10.3.0.1/24")
    moved = APART.replace("c:\n    host: srv2", "c:\n    host: srv1").replace("  srv2:\n", "")
    steps = near.json("plan", near.file("moved.yaml", moved), code=1)["changes"]
    assert [(step["subject"], step["action"], step["reason"]) for step in steps if step["change"] == "namespace"] == [
        ("c", "remove", "the lab is not on srv2 any more"), ("c", "make", "is not there")
    ]  # fmt: skip
    near.labctl("down")
