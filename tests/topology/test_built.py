"""A topology that a program builds: the words of a file, its model, its rules."""

from __future__ import annotations

from ipaddress import IPv4Address
from typing import Any

import pytest

from labctl.topology.mistakes import TopologyMistakes
from labctl.topology.model import Namespace, Topology
from labctl.topology.shipped import names


@pytest.mark.parametrize("name", names())
def test_what_is_built_of_the_words_of_a_file_is_what_is_read(name: str) -> None:
    read = Topology.load(name)
    assert Topology(**read.written()) == read


def test_values_of_python_stand_for_their_text() -> None:
    space = {"interfaces": {"lo": {"kind": "lo", "addresses": ("10.0.0.1/32",)}}}
    ping = {"from": "left", "to": IPv4Address("10.0.0.1")}
    built = Topology(
        name="x",
        namespaces={"left": space, "right": Namespace.read({})},
        checks=({"name": "c", "ping": ping},),
    )
    assert [str(address) for address in built.namespaces["left"].interfaces["lo"].addresses] == ["10.0.0.1/32"]
    assert built.checks[0].ping is not None and str(built.checks[0].ping.to) == "10.0.0.1"


def veth(peer: str) -> dict[str, Any]:
    return {"interfaces": {"eth0": {"kind": "veth", "peer": peer}}}


def test_every_mistake_is_told_by_the_keys_that_lead_to_it() -> None:
    with pytest.raises(TopologyMistakes) as raised:
        Topology(
            name="a b",
            namespaces={
                "left": {**veth("rigth:eth0"), "sysctls": {"net.ipv4.no_such": [1]}},
                "right": {"interfacs": {}},
            },
            checks=[{"name": "c", "ping": {"from": "left", "to": "somewhere"}}],
            more=1,
        )
    paths = [mistake.path for mistake in raised.value.mistakes if not hasattr(mistake, "line")]
    assert paths == [
        "name",
        "namespaces.left.sysctls['net.ipv4.no_such']",
        "namespaces.right.interfacs",
        "checks[0].ping.to",
        "more",
    ]


def test_what_holds_between_values_is_asked_too() -> None:
    with pytest.raises(TopologyMistakes, match=r"namespaces\.left\.interfaces\.eth0\.peer: .*'rigth'"):
        Topology(name="x", namespaces={"left": veth("rigth:eth0"), "right": veth("left:eth0")})


def test_without_anything_it_says_what_is_missing() -> None:
    with pytest.raises(TopologyMistakes, match="name"):
        Topology()
