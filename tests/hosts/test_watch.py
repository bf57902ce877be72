"""Following a lab over hosts: one live state of all, in which a host that is lost is shown as that."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any, cast

import pytest

from labctl.api.over_hosts import watch
from labctl.api.over_hosts.sessions import Task
from labctl.live.readings import OnHost, Packet, Packets
from labctl.topology.interface_ref import InterfaceRef
from labctl.trace.clocks import Reading
from tests.hosts.conftest import Wire
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
