"""Following a lab over hosts: one live state of all, in which a host that is lost is shown as that."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from types import SimpleNamespace
from typing import Any, NamedTuple, cast

import pytest

from labctl.api.over_hosts import watch
from labctl.api.over_hosts.task import Task
from labctl.live.readings import OnHost, Packet, Packets
from labctl.topology.interface_ref import InterfaceRef
from labctl.trace.clocks import Reading
from tests.e2e.terminal import screen
from tests.e2e.world import World, eventually
from tests.hosts.conftest import Wire
from tests.hosts.machines import USER, Machine
from tests.hosts.test_two_site import INVENTORY


def test_what_a_host_has_read_is_told_with_the_time_of_the_clock_here(monkeypatch: pytest.MonkeyPatch) -> None:
    second = 1_000_000_000
    ahead = [Reading(100 * second, 150 * second + 500_000, 100 * second + 1_000_000)]
    monkeypatch.setattr(watch, "readings_of", lambda task: ahead)
    clock = watch._Clock(cast("Task[None]", SimpleNamespace(host="srv1")))
    packet = Packet(151.0, InterfaceRef("a", "eth0"), True, True, 0, b"")
    at, told = clock.here((152.0, Packets((packet,), 0)))
    assert isinstance(told, OnHost) and isinstance(told.reading, Packets)
    assert told.host == "srv1"
    assert (at, told.reading.seen[0].at, told.within) == pytest.approx((102, 101, 0.0005))


@contextmanager
def events(wire: Wire, *words: str) -> Iterator[Iterator[dict[str, Any]]]:
    """Yield what `labctl events` tells on the near machine, until Ctrl-C, by which it ends without a word."""
    command = ("events", "-f", "json", *words)
    with wire.near.start_labctl(*command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        yield map(json.loads, process.stdout)
        wire.near.interrupt(process)
        _, errors = process.communicate()
    assert (process.returncode, errors) == (0, "")


def until(told: Iterator[dict[str, Any]], **wanted: Any) -> dict[str, Any]:
    """Return the first event that has these values."""
    return next(event for event in told if wanted.items() <= event.items())


def until_all(told: Iterator[dict[str, Any]], *wanted: dict[str, Any]) -> None:
    """Wait for an event with each of these values: hosts tell theirs in any order."""
    left = list(wanted)
    while left:
        event = next(told)
        left = [values for values in left if not values.items() <= event.items()]


@pytest.mark.timeout(300)
def test_events_of_all_hosts_are_those_of_one_lab(wire: Wire) -> None:
    near, srv2 = wire.near, wire.srv2
    inventory = near.file("inventory.yaml", INVENTORY)
    near.labctl("up", "two-site", "-i", inventory)
    with events(wire, "--verify") as told:
        assert next(told)["words"] == "is up"
        until(told, event="check", name="underlay", change="passed")
        near.labctl("exec", "siteB", "--", "ip", "link", "set", "wan0", "down")
        until_all(
            told,
            {"event": "link", "place": "siteB:wan0", "change": "down"},
            {"event": "link", "place": "siteA:wan0", "change": "no-carrier"},
            {"event": "drift", "change": "appeared", "subject": "siteB:wan0"},
        )
        failed = (event for event in told if event["event"] == "check" and event["change"] == "failed" and event["why"])
        assert "siteB:wan0 is down" in next(failed)["why"]
        near.labctl("up", "two-site", "-i", inventory)
        until_all(
            told,
            {"event": "link", "place": "siteA:wan0", "change": "carrier"},
            {"event": "check", "change": "passed"},
        )
        srv2.unplug()
        until_all(
            told,
            {"event": "host", "change": "lost", "host": "srv2"},
            {"event": "check", "change": "not-asked", "observed": "srv2 cannot be reached"},
        )
        srv2.plug()
        until_all(
            told,
            {"event": "host", "change": "reached", "host": "srv2"},
            {"event": "lab", "change": "up"},
            {"event": "check", "name": "underlay", "change": "passed"},
        )
        near.labctl("down")
        until(told, event="lab", change="down")


PAIR = """
name: pair
hosts: {srv1: {ports: 47000-47009}, srv2: {ports: 47000-47009}}
namespaces:
  left: {host: srv1, interfaces: {eth0: {kind: veth, peer: "right:eth0", addresses: [10.0.0.1/24]}}}
  right: {host: srv2, interfaces: {eth0: {kind: veth, peer: "left:eth0", addresses: [10.0.0.2/24]}}}
checks: [{name: across, ping: {from: left, to: 10.0.0.2}, crosses: ["left:eth0", "right:eth0"]}]
"""


class _Near(NamedTuple):
    """The near machine, as a terminal needs it."""

    machine: Machine

    def start(self, words: list[str], **options: Any) -> subprocess.Popen[str]:
        return self.machine.start(*words, **options)


def logins(wire: Wire) -> list[list[str]]:
    """Return the PIDs of the sessions of sshd on each host."""
    return [host.processes_with(f"sshd: {USER}@notty") for host in wire.hosts]


def working(wire: Wire) -> list[int]:
    """Return how many processes work on each host; one that has ended is reaped with the next work."""
    return [len([line for line in host.processes() if "<defunct>" not in line]) for host in wire.hosts]


def shows_a_ping(place: str, lines: list[str]) -> bool:
    return any(line.find("ICMP echo") > line.find(place) > 0 for line in lines)


@pytest.mark.timeout(300)
def test_one_login_to_each_host_is_enough_for_all_that_a_watch_shows(wire: Wire) -> None:
    near, (srv1, srv2) = wire.near, wire.hosts
    near.labctl("up", near.file("pair.yaml", PAIR))
    eventually(lambda: logins(wire) == [[], []], "the sessions of up have ended")
    here = cast("World", _Near(near))
    with screen(here, f"/home/{USER}/.local/bin/labctl", "watch", size=(40, 120)) as watching:
        watching.shows("left:eth0", "right:eth0")
        first, looking = logins(wire), working(wire)
        assert [len(each) for each in first] == [1, 1]
        watching.type("vp")
        watching.shows("pass across")
        for place in ("left:eth0", "right:eth0"):
            watching.until(partial(shows_a_ping, place), f"the ping of the check is shown at {place}")
        assert logins(wire) == first
        watching.type("vp")
        watching.until(lambda lines: not any("pass across" in line for line in lines), "no checks are shown")
        eventually(lambda: working(wire) == looking, "no checks are asked, and no packets are looked at")
        assert logins(wire) == first
        watching.type("vp")
        watching.shows("pass across", "packets")
        srv2.kill(f"sshd: {USER}@notty")
        watching.shows("srv2 cannot be reached")
        watching.shows("pass across", "right:eth0")
        assert srv1.processes_with(f"sshd: {USER}@notty") == first[0], "the other host is followed all the while"
        assert len(srv2.processes_with(f"sshd: {USER}@notty")) == 1
        near.labctl("down")
        watching.shows("pair is down")
        swapped = PAIR.replace("srv1,", "srv,").replace("srv2,", "srv1,").replace("srv,", "srv2,")
        near.labctl("up", near.file("pair.yaml", swapped))
        watching.shows("pair up", "pass across")
        eventually(lambda: [len(each) for each in logins(wire)] == [1, 1], "there is one login to each host again")
        watching.type("q")
        assert watching.end() == 0
    near.labctl("down")
