"""Faults between hosts are named where they are, and nothing else is; what they took is there again when they are over.

Those of one cable are all there at once, in one lab, and the lab is asked once; what follows looks at what was said.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import nullcontext
from dataclasses import asdict
from typing import Any, NamedTuple, NoReturn

import pytest

from labctl.api.over_hosts.sessions import sessions
from labctl.hosts.record import existing
from tests.e2e.world import eventually
from tests.hosts.conftest import Wire
from tests.hosts.faults import HOST_OF, OF_A_CABLE, OF_A_HOST, Commands, Fault, OfHost, Said
from tests.hosts.machines import Machine, inside

pytestmark = pytest.mark.timeout(600)  # the first test waits for all that is asked of sixteen faults

ENDS = tuple(HOST_OF)
END_ON = {host: end for end, host in HOST_OF.items()}
LAB = "labctl: rootless environment of between"
SOME = OF_A_CABLE[0].name
"""The cable that stands for all where something is wrong with a host."""
HEALED_ALONE = tuple(fault.name for fault in OF_A_CABLE if fault.undo)


def address_of(number: int) -> str:
    """Return the address of the right end of a cable."""
    return f"10.9.{number}.2"


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
        f"  - {{name: {name}, ping: {{from: left, to: {address_of(number)}, count: 10, timeout: 0.3}}}}\n"
        for number, name in enumerate(names)
    ]
    hosts = "".join(f"  {host}: {{ports: 47000-47019}}\n" for host in HOST_OF.values())
    return f"name: between\nhosts:\n{hosts}namespaces:\n{''.join(spaces)}checks:\n{''.join(checks)}"


class Between:
    """The lab, and the hosts that it is on."""

    def __init__(self, wire: Wire) -> None:
        self.near, self._machines = wire.near, {machine.name: machine for machine in wire}
        self.file = self.near.file("between.yaml", between(tuple(fault.name for fault in OF_A_CABLE)))
        self.near.labctl("up", self.file)
        self._ports = {end["device"]: str(end["port"]) for end in self.near.json("status")["cables"]}

    def machine(self, name: str) -> Machine:
        """Return a machine."""
        return self._machines[name]

    def do(self, commands: Commands, cable: str = SOME) -> None:
        """Run the commands of a fault, which is one of this cable."""
        for place, command in commands:
            words = self.meant(command, cable)
            if place in ENDS:
                self._in_lab(place, "sh", "-c", words)
                continue
            machine = self._machines[place]
            for name, title in (("ENGINE", f"labctl: cable of {END_ON.get(place)}:{cable} "), ("ENVIRONMENT", LAB)):
                if name in words:
                    words = words.replace(name, machine.processes_with(title)[0])
            inside(machine.pid, "sh", "-c", words, mount=True)

    def meant(self, text: str, cable: str) -> str:
        """Return a text of a fault with the ports of its cable."""
        for end in ENDS:
            text = text.replace(f"PORT[{end}]", self._ports[f"{end}:{cable}"])
        return text

    def carrier(self, device: str) -> bool:
        """Return whether an end has a carrier, by the kernel."""
        end, _, name = device.partition(":")
        return "LOWER_UP" in self._in_lab(end, "ip", "-o", "link", "show", "dev", name)

    def carries(self, name: str = SOME) -> bool:
        """Return whether a ping over a cable is answered, without labctl."""
        number = [fault.name for fault in OF_A_CABLE].index(name)
        return " 0% packet loss" in self._in_lab("left", "sh", "-c", f"ping -c 1 -W 1 {address_of(number)} || :")

    def _in_lab(self, space: str, *command: str) -> str:
        """Run a program in a namespace of the lab, as root. Return what it prints."""
        machine = self._machines[HOST_OF[space]]
        (some,) = machine.processes_with(f"labctl: cable of {space}:{OF_A_CABLE[-1].name} ")
        return inside(machine.pid, "nsenter", "-t", some, "-n", *command, mount=True)


class Told(NamedTuple):
    """What was said while the faults were there, by the names of devices and checks; and once all was mended."""

    ends: Mapping[str, Any]
    passed: Mapping[str, bool]
    causes: Mapping[str, Any]
    whys: Mapping[str, Any]
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
    with near.start_labctl(main=why_each, stdout=subprocess.PIPE) as asking:
        whys = json.loads(asking.communicate()[0])
    ends = {end["device"]: end for end in near.json("status")["cables"]}
    for fault in OF_A_CABLE:
        lab.do(fault.undo, fault.name)
    for name in HEALED_ALONE:
        eventually(lambda name=name: lab.carries(name), f"{name} carries again")  # type: ignore[misc]
    near.labctl("up", lab.file)
    return Told(
        ends,
        _passed(verified),
        {name: cause for cause in verified["diagnosis"] for name in cause["checks"]},
        whys,
        near.json("verify", code=None),
    )


def why_each() -> NoReturn:
    """Be `labctl why` for each of the cables, one after the other, with one login for all of them."""
    from labctl.api.over_hosts import why

    record = existing("between")
    with sessions(record.hosts) as found:
        setattr(why, "sessions", lambda hosts: nullcontext(found))  # noqa: B010
        told = {
            fault.name: asdict(why.why(record, "left", address_of(number))) for number, fault in enumerate(OF_A_CABLE)
        }
    sys.stdout.write(json.dumps(told))
    raise SystemExit


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
    if fault.hop:
        cause = told.causes[fault.name]
        assert (cause["hop"], cause["reason"]) == (fault.hop, fault.reason)
        assert lab.meant(fault.why, fault.name) in cause["words"]


@pytest.mark.parametrize("fault", [it for it in OF_A_CABLE if it.name != "lost"], ids=lambda fault: fault.name)
def test_why_names_it(lab: Between, told: Told, fault: Fault) -> None:
    """But for what takes some datagrams alone: the three of `why` may all arrive."""
    found = told.whys[fault.name]
    assert found["reached"] is not bool(fault.hop)
    causes = [(cause["hop"], cause["reason"]) for cause in found["diagnosis"]]
    assert causes == ([(fault.hop, fault.reason)] if fault.hop else [])
    for cause in found["diagnosis"]:
        assert lab.meant(fault.why, fault.name) in cause["words"]


@each_fault
def test_it_heals(told: Told, fault: Fault) -> None:
    """By itself once it is undone, which `told` has seen, or by `labctl up` where something of the lab is gone."""
    assert _passed(told.mended)[fault.name]


def test_the_lab_is_as_its_file_says_again(told: Told) -> None:
    assert told.mended["drift"] == []


@pytest.mark.parametrize("fault", OF_A_HOST, ids=lambda fault: fault.name)
def test_what_is_wrong_with_a_host_is_told_and_heals(lab: Between, told: Told, fault: OfHost) -> None:
    lab.do(fault.inject)
    try:
        if fault.dark:
            eventually(lambda: not lab.carrier(f"left:{SOME}"), "the carrier goes")
        _says(lab, fault.status, "status")
        if fault.verify:
            _says(lab, fault.verify, "verify", SOME)
        if fault.verify and fault.verify.code:
            _says(lab, fault.verify, "why", "left", address_of(0))
    finally:
        lab.do(fault.undo)
    if not fault.undo:
        lab.near.labctl("up", lab.file)
    eventually(lab.carries, "the cables carry again")


def _says(lab: Between, said: Said, *command: str) -> None:
    """Have a command say it: what takes an end some seconds to find out, it says then."""
    wanted = [lab.meant(words, SOME) for words in said.words]

    def told() -> bool:
        done = lab.near.labctl(*command, code=said.code)
        return all(words in done.stdout + done.stderr for words in wanted)

    eventually(told, f"{command}: {wanted}")


def test_a_host_that_has_died_is_not_reached_and_up_makes_its_share_again(lab: Between, told: Told) -> None:
    srv2 = lab.machine("srv2")
    srv2.end()
    try:
        eventually(lambda: not lab.carrier(f"left:{SOME}"), "the carrier goes")
        _says(lab, Said(0, ("not reached on srv2: right", "ssh: connect to host 10.77.0.3")), "status")
    finally:
        srv2.boot()
    lab.near.labctl("up", lab.file)
    eventually(lab.carries, "the cables carry again")


def test_ports_that_another_program_has_are_named(lab: Between) -> None:
    """Before anything is made; the other lab has them all here."""
    taken = between((SOME,)).replace("name: between", "name: more")
    told = lab.near.labctl("up", lab.near.file("more.yaml", taken.replace("47019", "47001")), code=4).stderr
    assert "no port of 47000-47001 is free at 10.77.0.2" in told
    assert [row["lab"] for row in lab.near.json("list")] == ["between"]
