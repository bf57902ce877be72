"""Faults between hosts are named where they are, and nothing else is; what they took is there again when they are over.

Those of one cable are all there at once, in one lab, and the lab is asked once; what follows looks at what was said.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import pytest

from tests.e2e.world import eventually
from tests.hosts.conftest import Wire
from tests.hosts.faults import HOST_OF, OF_A_CABLE, Commands, Fault
from tests.hosts.machines import Machine, inside

ENDS = tuple(HOST_OF)
HEALED_ALONE = tuple(fault.name for fault in OF_A_CABLE if fault.undo)


def between(names: tuple[str, ...]) -> str:
    """Return a topology with a cable of each name between two hosts, and a check that crosses it."""
    spaces = [
        f"  {here}:\n    host: {HOST_OF[here]}\n    interfaces:\n"
        + "".join(
            f"      {name}: {{kind: veth, peer: '{there}:{name}', addresses: [10.9.{number}.{last}/24]}}\n"
            for number, name in enumerate(names)
        )
        for here, there, last in (("left", "right", 1), ("right", "left", 2))
    ]
    checks = [
        f"  - {{name: {name}, ping: {{from: left, to: 10.9.{number}.2, count: 10, timeout: 0.3}}}}\n"
        for number, name in enumerate(names)
    ]
    hosts = "".join(f"  {host}: {{ports: 47000-47019}}\n" for host in HOST_OF.values())
    return f"name: between\nhosts:\n{hosts}namespaces:\n{''.join(spaces)}checks:\n{''.join(checks)}"


class Between:
    """The lab, and the hosts that it is on."""

    def __init__(self, wire: Wire) -> None:
        self.near, self._hosts = wire.near, {machine.name: machine for machine in wire.hosts}
        self.file = self.near.file("between.yaml", between(tuple(fault.name for fault in OF_A_CABLE)))
        self.near.labctl("up", self.file)
        self._ports = {end["device"]: str(end["port"]) for end in self.near.json("status")["cables"]}

    def do(self, commands: Commands, cable: str) -> None:
        """Run the commands of a fault of a cable."""
        for place, command in commands:
            end = next(end for end in ENDS if place in (end, HOST_OF[end]))
            machine = self._hosts[HOST_OF[end]]
            words = self.meant(command, cable)
            engine = self._engine(machine, f"{end}:{cable}")
            inner = ["nsenter", "-t", engine, "-n"] if place == end else []
            inside(machine.pid, *inner, "sh", "-c", words.replace("ENGINE", engine), mount=True)

    def meant(self, text: str, cable: str) -> str:
        """Return a text of a fault with the ports of its cable."""
        for end in ENDS:
            text = text.replace(f"PORT[{end}]", self._ports[f"{end}:{cable}"])
        return text

    def _engine(self, machine: Machine, device: str) -> str:
        return machine.processes_with(f"labctl: cable of {device} ")[0]

    def carrier(self, device: str) -> bool:
        """Return whether an end has a carrier, by the kernel."""
        end, _, name = device.partition(":")
        machine = self._hosts[HOST_OF[end]]
        (some,) = machine.processes_with(f"labctl: cable of {end}:address ")
        told = inside(machine.pid, "nsenter", "-t", some, "-n", "ip", "-o", "link", "show", "dev", name, mount=True)
        return "LOWER_UP" in told


class Told(NamedTuple):
    """What was said while the faults were there, and once they were undone, by the names of devices and checks."""

    ends: Mapping[str, Any]
    passed: Mapping[str, bool]
    causes: Mapping[str, Any]
    healed: Mapping[str, bool]
    mended: Mapping[str, Any]


@pytest.fixture(scope="module")
def lab(_machines: Wire) -> Iterator[Between]:
    yield Between(_machines)
    _machines.near.labctl("down", "between")
    for machine in _machines:
        machine.is_as_before()


@pytest.fixture(scope="module")
def told(lab: Between) -> Told:
    near = lab.near
    for fault in OF_A_CABLE:
        lab.do(fault.inject, fault.name)
    dark = [f"{end}:{fault.name}" for fault in OF_A_CABLE for end in ENDS if fault.without_carrier(end)]
    for device in dark:
        eventually(lambda device=device: not lab.carrier(device), f"{device} without carrier")  # type: ignore[misc]
    verified = near.json("verify", code=1)
    ends = {end["device"]: end for end in near.json("status")["cables"]}
    for fault in OF_A_CABLE:
        lab.do(fault.undo, fault.name)
    for name in HEALED_ALONE:
        eventually(lambda name=name: lab.carrier(f"left:{name}"), f"{name} carries again")  # type: ignore[misc]
    healed = _passed(near.json("verify", *HEALED_ALONE, code=None))
    near.labctl("up", lab.file)
    return Told(
        ends,
        _passed(verified),
        {name: cause for cause in verified["diagnosis"] for name in cause["checks"]},
        healed,
        near.json("verify", code=None),
    )


def _passed(verified: Mapping[str, Any]) -> dict[str, bool]:
    return {check["name"]: check["passed"] for check in verified["checks"]}


each_fault = pytest.mark.parametrize("fault", OF_A_CABLE, ids=lambda fault: fault.name)


@each_fault
def test_status_tells_it_at_both_ends(lab: Between, told: Told, fault: Fault) -> None:
    for end, words in zip(ENDS, (fault.left, fault.right), strict=True):
        assert lab.meant(words, fault.name) in told.ends[f"{end}:{fault.name}"]["told"]
    if fault.counted:
        assert told.ends[f"right:{fault.name}"]["counters"][fault.counted]


@each_fault
def test_verify_names_it(lab: Between, told: Told, fault: Fault) -> None:
    assert told.passed[fault.name] is not bool(fault.hop)
    if fault.why:
        cause = told.causes[fault.name]
        assert cause["hop"] == fault.hop
        assert lab.meant(fault.why, fault.name) in cause["words"]


@each_fault
def test_it_heals(told: Told, fault: Fault) -> None:
    """By itself once it is undone, or by `labctl up` where something of the lab is gone."""
    if fault.undo:
        assert told.healed[fault.name]
    assert _passed(told.mended)[fault.name]


def test_the_lab_is_as_its_file_says_again(told: Told) -> None:
    assert told.mended["drift"] == []
