"""What dies before a lab is kept, in each phase of `up`: nothing is left of it on any host, and `up` works again.

Labs are rootless or root's: what is made is taken back in another way then.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any, NoReturn

import pytest

from labctl import cli
from labctl.api.caller import Work
from labctl.api.over_hosts.task import Aside, Task
from labctl.api.work import parts
from labctl.lab.cables.status import CableStatus
from tests.e2e.world import eventually
from tests.hosts.conftest import Wire
from tests.hosts.machines import Machine
from tests.hosts.test_up import APART

WAITS = APART.replace("c:\n    host: srv2", "c:\n    host: srv2\n    exec: ['until [ -e go ]; do sleep 0.05; done']")
"""The share of srv1 is made, and not kept, as long as that of srv2 is not."""


@contextmanager
def between_begin_and_keep(wire: Wire) -> Iterator[subprocess.Popen[str]]:
    near, (srv1, srv2) = wire.near, wire.hosts
    file = near.file("waits.yaml", WAITS)
    with near.start_labctl(
        *("up", file), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as driver:
        eventually(lambda: _runs(srv1, MADE) and _runs(srv2, "sleep 0.05"), "it is being made")
        yield driver
        driver.kill()


MADE = "rootless environment of apart"


def _runs(machine: Machine, words: str) -> bool:
    return any(words in line for line in machine.processes())


def _nothing_is_left(wire: Wire) -> None:
    for host in wire.hosts:
        eventually(lambda host=host: not host.processes(), f"nothing runs on {host.name}")  # type: ignore[misc]
        assert host.json("list") == host.json("list", root=True) == []


def test_the_driver_is_killed(wire: Wire) -> None:
    with between_begin_and_keep(wire) as driver:
        wire.near.send(driver, signal.SIGKILL)
        driver.wait()
    _nothing_is_left(wire)
    wire.near.labctl("up", wire.near.file("apart.yaml", APART))
    wire.near.labctl("down")


@pytest.mark.parametrize("words", ["sshd: anna@", "works for a Python program"])
def test_what_carries_a_session_is_killed(wire: Wire, words: str) -> None:
    with between_begin_and_keep(wire) as driver:
        wire.srv1.kill(words)
        _, told = driver.communicate()
    assert driver.returncode
    assert "srv1" in told
    assert "Traceback" not in told
    _nothing_is_left(wire)
    assert wire.near.json("list") == [] or wire.near.labctl("down")


def test_ctrl_c_takes_back_what_was_made(wire: Wire) -> None:
    with between_begin_and_keep(wire) as driver:
        wire.near.interrupt(driver)
        _, told = driver.communicate()
    assert driver.returncode == 130
    assert "interrupted" in told
    _nothing_is_left(wire)
    assert wire.near.json("list") == []


def test_a_host_that_is_not_reached_is_a_state_and_down_goes_on_with_it(wire: Wire) -> None:
    near, srv2 = wire.near, wire.srv2
    near.labctl("up", near.file("apart.yaml", APART))
    srv2.unplug()
    try:
        status = near.json("status")
        assert [(each["host"], each["reached"]) for each in status["hosts"]] == [("srv1", True), ("srv2", False)]
        assert list(status["namespaces"]) == ["a", "b"]
        assert "is as its file says, but for srv2: not reached" in near.labctl("status").stdout
        told = near.labctl("down", code=5)
        assert "apart is down: namespace a, namespace b" in told.stdout
        assert "srv2 cannot be reached" in told.stderr
    finally:
        srv2.plug()
    assert near.json("list")[0]["hosts"] == ["srv2"]
    assert "namespace c" in near.labctl("down").stdout
    assert near.json("list") == []


def test_what_the_other_hosts_have_is_told_and_the_lost_one_is_named(wire: Wire) -> None:
    near, srv1 = wire.near, wire.srv1
    near.labctl("up", near.file("apart.yaml", APART))
    srv1.unplug()
    try:
        told = near.labctl("logs", code=5)
        assert re.fullmatch(r"srv2  .*hello\n", told.stdout)
        assert "srv1 cannot be reached" in told.stderr
        assert "srv1 cannot be reached" in near.labctl("exec", "a", "--", "true", code=5).stderr
    finally:
        srv1.plug()
    near.labctl("down")


def test_a_command_whose_session_ends_has_no_exit_code(wire: Wire) -> None:
    near, srv2 = wire.near, wire.srv2
    near.labctl("up", near.file("apart.yaml", APART))
    with near.start_labctl("exec", "c", "--", "sleep", "999", stderr=subprocess.PIPE) as command:
        eventually(lambda: _runs(srv2, "sleep 999"), "it runs")
        srv2.kill("sshd: anna@")
        _, told = command.communicate()
    assert command.returncode == 5
    assert "the session on srv2 ended before the command did" in told
    near.labctl("down")


JOINED = """
name: joined
hosts: {srv1: {}, srv2: {}}
namespaces:
  left: {host: srv1, interfaces: {v: {kind: veth, peer: "right:v", addresses: [10.2.0.1/24]}}}
  right: {host: srv2, interfaces: {v: {kind: veth, peer: "left:v", addresses: [10.2.0.2/24]}}}
checks:
  - {name: across, ping: {from: left, to: 10.2.0.2}, crosses: ["left:v", "right:v"]}
"""
AS_ROOT = JOINED.replace("srv1: {}, srv2: {}", "srv1: {ssh: root@srv1}, srv2: {ssh: root@srv2}")
HALF_ROOTS = JOINED.replace("srv2: {}", "srv2: {ssh: root@srv2}")
STOPS_BEFORE = {"plug": "plugs", "keep": "check_carriers"}
"""The first function of api/over_hosts/cables.py that is called in a phase of `up`, when all hosts wait for it."""


def _up_that_stops_before(phase: str) -> NoReturn:
    """Be labctl, and stop where a phase begins."""
    from labctl.api.over_hosts import cables

    usual: Callable[..., object] = getattr(cables, STOPS_BEFORE[phase])

    def stopped(*arguments: object) -> object:
        os.kill(os.getpid(), signal.SIGSTOP)
        return usual(*arguments)

    setattr(cables, STOPS_BEFORE[phase], stopped)
    cli.main()


@contextmanager
def stopped_before(wire: Wire, phase: str, topology: str) -> Iterator[subprocess.Popen[str]]:
    near, main = wire.near, partial(_up_that_stops_before, phase)
    words = ("up", near.file("joined.yaml", topology), "--name", phase)
    with near.start_labctl(
        *words, main=main, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as driver:
        try:
            eventually(lambda: near.is_stopped(driver), f"it stops before {phase}")
            yield driver
        finally:
            with suppress(ValueError, OSError):  # it has ended
                near.send(driver, signal.SIGKILL)


@pytest.mark.parametrize(("phase", "topology"), [("plug", JOINED), ("keep", AS_ROOT)], ids=["plug", "keep as root"])
def test_the_driver_is_killed_when_all_is_made(wire: Wire, phase: str, topology: str) -> None:
    with stopped_before(wire, phase, topology) as driver:
        wire.near.send(driver, signal.SIGKILL)
        driver.wait()
    _nothing_is_left(wire)
    wire.near.labctl("up", "joined.yaml", "--name", phase)
    assert [check["passed"] for check in wire.near.json("verify")["checks"]] == [True]
    wire.near.labctl("down")


def _up_that_is_interrupted_as_hosts_begin() -> NoReturn:
    """Be labctl, and hear Ctrl-C when the first host has begun, and no other."""
    from labctl.api.over_hosts.sessions import Sessions

    start = Sessions.start

    def interrupted(found: Sessions, host: str, work: Work[Any], aside: Aside | None = None) -> Task[Any]:
        if found._tasks and getattr(work, "func", None) is parts.begin:
            raise KeyboardInterrupt
        return start(found, host, work, aside)

    setattr(Sessions, "start", interrupted)  # noqa: B010
    cli.main()


def test_ctrl_c_as_hosts_begin_leaves_no_record(wire: Wire) -> None:
    words = ("up", wire.near.file("joined.yaml", JOINED))
    assert wire.near.start_labctl(*words, main=_up_that_is_interrupted_as_hosts_begin).wait() == 130
    _nothing_is_left(wire)
    assert wire.near.json("list") == []


def _up_that_is_killed_between_two_keeps() -> NoReturn:
    """Be labctl, and die when the first host has kept what it has, and no other was told to."""
    from labctl.api.over_hosts import cables
    from labctl.api.over_hosts.sessions import Sessions

    check, settle = cables.check_carriers, Sessions.settle

    def killed(found: Sessions, tasks: Sequence[Task[Any]], *, keep: bool) -> None:
        settle(found, tasks[:1], keep=keep)
        os.kill(os.getpid(), signal.SIGKILL)

    def checked(carriers: Mapping[str, Mapping[str, CableStatus]]) -> None:
        check(carriers)
        setattr(Sessions, "settle", killed)  # noqa: B010

    setattr(cables, "check_carriers", checked)  # noqa: B010
    cli.main()


@pytest.mark.parametrize("then", ["up", "down"])
def test_the_driver_is_killed_between_two_keeps(wire: Wire, then: str) -> None:
    """One host has its share, and the other has nothing: `status` tells it, and the next command makes it one again."""
    near, (srv1, srv2) = wire.near, wire.hosts
    file = near.file("joined.yaml", HALF_ROOTS)
    near.start_labctl("up", file, main=_up_that_is_killed_between_two_keeps, stdout=subprocess.DEVNULL).wait()
    eventually(lambda: not srv2.processes(), "srv2 has taken its share back")
    assert [lab["complete"] for lab in (*srv1.json("list"), *near.json("list"))] == [True, False]
    if then == "up":
        told = near.labctl("status").stdout
        assert "unfinished: labctl up has not come to its end (labctl up joined.yaml makes it whole" in told
        assert re.search("^right +gone", told, re.MULTILINE)
        assert "left:v: nothing comes from srv2" in told
        assert "joined never came up" in near.labctl("verify", code=4).stderr
        near.labctl("up", file)
        assert [check["passed"] for check in near.json("verify")["checks"]] == [True]
    assert "joined is down" in near.labctl("down").stdout
    assert near.json("list") == []


@pytest.mark.parametrize(
    ("phase", "topology", "words"),
    [("plug", JOINED, "rootless environment of plug"), ("keep", AS_ROOT, "sshd: root@")],
    ids=["plug", "keep as root"],
)
def test_what_a_host_has_is_killed_when_all_is_made(wire: Wire, phase: str, topology: str, words: str) -> None:
    with stopped_before(wire, phase, topology) as driver:
        wire.srv1.kill(words)
        wire.near.send(driver, signal.SIGCONT)
        _, told = driver.communicate()
    assert driver.returncode
    assert "srv1" in told
    assert "Traceback" not in told
    _nothing_is_left(wire)
    assert wire.near.json("list") == [] or wire.near.labctl("down")


def test_the_network_is_cut(wire: Wire) -> None:
    """The other host takes back at once when this is noticed, and the lost one by itself when its lease is over.

    In each phase, of three labs at once, for that takes long.
    """
    near = wire.near
    with (
        between_begin_and_keep(wire) as begun,
        stopped_before(wire, "plug", AS_ROOT) as made,
        stopped_before(wire, "keep", JOINED) as joined,
    ):
        wire.srv1.unplug()
        try:
            for driver in (made, joined):
                near.send(driver, signal.SIGCONT)
            for driver in (begun, made, joined):
                _, told = driver.communicate()
                assert driver.returncode == 5
                assert "srv1 cannot be reached" in told
            _nothing_is_left(wire)
        finally:
            wire.srv1.plug()
    assert {lab["lab"] for lab in near.json("list")} == {"apart", "plug", "keep"}, "srv1 may have something of them"
    near.labctl("down", "--all")
    assert near.json("list") == []
