"""A lab over two hosts, each with labctl of its own: its parts are made, joined and ended; both modes.

The hosts are namespaces with a wire between them; who asks both is this test.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from labctl.api.calls import inspect, lifecycle
from labctl.errors import KernelRefused
from labctl.lab.cables.ends import cable_ends, carriers, plug
from labctl.lab.cables.joining import Seen, blocked, joined
from labctl.lab.cables.reach import Reach
from labctl.lab.cables.status import CableStatus
from labctl.lab.status import Status
from labctl.plan.cable_spec import CableSpec
from labctl.plan.desired import desired
from labctl.plan.parts import parts
from labctl.plan.steps import StartCable
from labctl.topology.load import loads
from labctl.topology.model import Topology
from tests.e2e.far import Host, inside, received
from tests.e2e.world import ORDINARY_UID, SUITE_IS_ROOT
from tests.engine.world import wait_for

LAB, CABLE = "two-site", "siteA:wan0-siteB:wan0"
PLACE = {"srv1": "192.0.2.101", "srv2": "192.0.2.102"}
FILE = """
name: two-site
hosts:
  srv1: {address: 192.0.2.101, ports: 47000-47003}
  srv2: {address: 192.0.2.102, ports: 47000-47003}
namespaces:
  siteA: {host: srv1, interfaces: {wan0: {kind: veth, peer: "siteB:wan0", addresses: [10.9.0.1/24]}}}
  siteB: {host: srv2, interfaces: {wan0: {kind: veth, peer: "siteA:wan0", addresses: [10.9.0.2/24]}}}
"""
PARTS: Mapping[str, Topology] = parts(loads(FILE, "over-hosts.yaml"))


class Hosts:
    """Both hosts."""

    def __init__(self, uid: int) -> None:
        self.each = {name: Host(uid) for name in PLACE}
        one, other = self.each.values()
        one.space.ip(f"link add eth0 type veth peer name eth0 netns {other.space.pid}")
        for name, host in self.each.items():
            host.space.ip(f"addr add {PLACE[name]}/24 dev eth0", "link set eth0 up")

    def up(self) -> None:
        """Have both make what they lack, and join them."""
        for name, host in self.each.items():
            host.do(received, lifecycle.up, PARTS[name], None, None, False, None)
        self.join()

    def join(self) -> None:
        told = joined({name: host.do(inside, LAB, cable_ends, LAB) for name, host in self.each.items()}, PLACE)
        for name, host in self.each.items():
            host.do(inside, LAB, plug, LAB, told[name])

    def cables(self, patience: float = 5.0) -> dict[str, CableStatus]:
        return {name: host.do(inside, LAB, carriers, LAB, patience)[CABLE] for name, host in self.each.items()}

    def status(self, name: str) -> Status:
        status: Status = self.each[name].do(received, inspect.status, LAB)
        return status

    def ping(self) -> bool:
        done = self.each["srv1"].do(inside, LAB, _ping)
        return bool(done == 0)

    def down(self) -> None:
        for host in self.each.values():
            host.do(received, lifecycle.down, [LAB])

    def close(self) -> None:
        for host in self.each.values():
            host.close()


def _ping() -> int:
    return os.system("ip netns exec siteA ping -n -c 3 -i 0.05 -W 2 10.9.0.2 >/dev/null")


@pytest.fixture(scope="module", params=["root", "rootless"])
def hosts(request: pytest.FixtureRequest) -> Iterator[Hosts]:
    if not SUITE_IS_ROOT:
        pytest.skip("needs root: the hosts have mounts of their own")
    made = Hosts(ORDINARY_UID if request.param == "rootless" else 0)
    try:
        made.up()
        yield made
        made.down()
        for host in made.each.values():
            assert host.space.shell("ss -Huan") == "", "the host is as it was"
            assert host.space.shell("ip -o link | wc -l") == "2\n"
    finally:
        made.close()


@pytest.fixture
def up(hosts: Hosts) -> Hosts:
    """Both hosts, joined."""
    if not all(end.is_up for end in hosts.cables(0).values()):
        hosts.up()
    assert all(end.is_up for end in hosts.cables().values()), hosts.cables()
    return hosts


def test_the_two_parts_are_one_lab(up: Hosts) -> None:
    assert up.ping()
    for name, end in up.cables().items():
        other = next(each for each in PLACE if each != name)
        assert (end.port, end.peer) == (47000, f"{PLACE[other]}:47000")
        assert (end.path_mtu, end.carried) == (1500, 1434)
        assert f"joined with {other} ({end.peer}); path MTU 1500: packets over 1434 bytes travel" in str(end)


def test_a_second_up_has_nothing_to_do(up: Hosts) -> None:
    for name, host in up.each.items():
        assert host.do(received, lifecycle.up, PARTS[name], None, None, False, None).changes == ()
        status = up.status(name)
        assert status.pending is not None and status.pending.changes == () and len(status.cables) == 1
    assert up.ping()


def test_a_restarted_end_waits_for_a_new_key(up: Hosts) -> None:
    again = up.each["srv1"].do(received, lifecycle.restart, LAB, [])
    (end,) = again.cables
    assert (end.state, end.peer, end.counters["keys"], end.counters["beats_sent"]) == ("unplugged", None, 0, 0)
    assert "labctl up joins it" in str(end)
    wait_for(lambda: up.cables(0)["srv2"].state == "nothing_in", "the other end to notice")
    up.join()
    assert all(each.is_up for each in up.cables().values()) and up.ping()


def test_a_killed_engine_is_drift_and_up_repairs_it(up: Hosts) -> None:
    (end,) = up.status("srv1").cables
    up.each["srv1"].do(inside, LAB, os.kill, end.pid, signal.SIGKILL)
    wait_for(lambda: not up.cables(0)["srv2"].is_up, "the other carrier to go")
    status = up.status("srv1")
    assert status.pending is not None
    assert [str(change) for change in status.pending.changes] == [
        "siteA:wan0 cable to siteB:wan0 on srv2 (is not running)"
    ]
    assert "nothing comes from srv1 (192.0.2.101:47000) to UDP port 47000" in str(up.cables(0)["srv2"])
    up.up()
    assert all(each.is_up for each in up.cables().values()) and up.ping()


def test_the_log_tells_what_happened(up: Hosts) -> None:
    lines = up.each["srv1"].do(inside, LAB, _log)
    assert f"cable {CABLE}: joined with 192.0.2.102:47000, sealed with " in lines
    assert f"cable {CABLE}: up\n" in lines and f"cable {CABLE}: path MTU 1500" in lines


def _log() -> str:
    from labctl.lab.engines.logs import lines

    return "\n".join(lines(LAB, ["siteA:wan0"], follow=False))


def test_no_key_is_on_the_disk_or_the_command_line(up: Hosts) -> None:
    told = joined({name: host.do(inside, LAB, cable_ends, LAB) for name, host in up.each.items()}, PLACE)
    for name, host in up.each.items():
        host.do(inside, LAB, plug, LAB, told[name])
    (end,) = up.status("srv1").cables
    found = up.each["srv1"].do(inside, LAB, _everywhere, end.pid)
    for form in (told["srv1"][CABLE].key, told["srv1"][CABLE].key.hex().encode()):
        assert form not in found


def _everywhere(pid: int) -> bytes:
    from labctl.lab.state import State

    files = [path for path in State(LAB).directory.rglob("*") if path.is_file()]
    return b"".join(path.read_bytes() for path in [*files, Path(f"/proc/{pid}/cmdline"), Path(f"/proc/{pid}/environ")])


def specs(name: str, ports: tuple[int, int] = (47100, 47103)) -> list[CableSpec]:
    found = [step.spec for step in desired(PARTS[name]).steps if isinstance(step, StartCable)]
    return [CableSpec(each.device, each.peer, each.cable, each.host, each.address, ports) for each in found]


def reached(hosts: Hosts) -> dict[str, dict[str, Seen]]:
    """Try the cables before there is a lab, as `up` does."""
    told = joined({name: host.do(_open, specs(name)) for name, host in hosts.each.items()}, PLACE)
    for name, host in hosts.each.items():
        host.ask(_try, told[name])
    return {name: host.answer() for name, host in hosts.each.items()}


_OPEN: list[Reach] = []


def _open(wanted: list[CableSpec]) -> Any:
    _OPEN.append(Reach(wanted))
    return _OPEN[-1].ends


def _try(plugs: Any) -> dict[str, Seen]:
    with _OPEN.pop() as reach:
        return reach.tried(plugs, 2.5)


def test_what_the_hosts_reach_is_known_beforehand(hosts: Hosts) -> None:
    assert reached(hosts) == {name: {CABLE: Seen("up", 47100, 1500, 1434)} for name in PLACE}


@pytest.mark.parametrize("blocked_host", ["srv1", "srv2"])
def test_a_direction_in_which_a_host_does_not_send_is_named_beforehand(hosts: Hosts, blocked_host: str) -> None:
    other = next(name for name in PLACE if name != blocked_host)
    hosts.each[blocked_host].space.ip(f"route add blackhole {PLACE[other]}/32")
    try:
        told = list(blocked(reached(hosts)))
    finally:
        hosts.each[blocked_host].space.ip(f"route del blackhole {PLACE[other]}/32")
    # EINVAL is what the kernel says of a blackhole route (fib_props in net/ipv4/fib_semantics.c).
    assert told == [f"{blocked_host} does not send to UDP port 47100 of {other}: Invalid argument ({CABLE})"]


def test_ports_that_are_taken_are_told(hosts: Hosts) -> None:
    with pytest.raises(KernelRefused, match="no port of 47200-47200 is free") as refused:
        hosts.each["srv1"].do(_open_twice, specs("srv1", (47200, 47200)))
    assert "EADDRINUSE" in refused.value.why


def _open_twice(wanted: list[CableSpec]) -> None:
    with Reach(wanted), Reach(wanted):
        pass


def test_an_end_that_ended_is_not_joined_and_says_so(up: Hosts) -> None:
    (end,) = up.status("srv2").cables
    up.each["srv2"].do(inside, LAB, os.kill, end.pid, signal.SIGKILL)
    wait_for(lambda: not up.cables(0)["srv2"].running, "its end")
    with pytest.raises(KernelRefused, match="cable of siteB:wan0 cannot be joined"):
        up.each["srv2"].do(inside, LAB, cable_ends, LAB)
    assert "labctl up starts it again" in str(up.cables(0)["srv2"])
    up.up()
