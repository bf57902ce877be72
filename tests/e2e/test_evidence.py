"""What the kernel is asked about a lost packet it answers in a lab as it is run, to whoever runs it."""

from __future__ import annotations

import json
from typing import Any

from tests.e2e.world import World

ASKING = """
import ipaddress, json
from labctl.kernel import conntrack, interfaces, lookup, programs, snmp, sock_diag, sysctls, traffic_control, xfrm
from labctl.kernel.flow import Flow
from labctl.kernel.nftables import ruleset
outer = Flow(ipaddress.ip_address("10.0.1.1"), ipaddress.ip_address("10.0.2.1"), "udp", 9000, 9000)
there, *_ = sock_diag.receivers(outer, "wan0", sock_diag.sockets("udp"))
print(json.dumps({
    "socket": [each.pid for each in programs.with_sockets([there.inode])[there.inode]],
    "device": [each.pid for each in programs.with_tun_devices()["tun0"]],
    "state": [each.state for each in programs.with_tun_devices()["tun0"]],
    "way": str(lookup.route_in(outer, "wan0")),
    "flags": sorted(interfaces.details()["tun0"].flags),
    "settings": sysctls.on_the_way(["tun0"])["net/ipv4/conf/tun0/forwarding"],
    "counted": "UdpNoPorts" in snmp.counters(),
    "none": [conntrack.connections(), list(ruleset.chains()), traffic_control.traffic_control(), xfrm.policies()],
}))
"""


def asked(here: World, namespace: str) -> dict[str, Any]:
    python = here.command()[0]
    answers: dict[str, Any] = json.loads(here.labctl("exec", namespace, "--", python, "-c", ASKING).stdout)
    return answers


def test_a_lab_that_runs_is_asked_by_whoever_runs_it(here: World) -> None:
    here.labctl("up", "two-site")
    found = asked(here, "siteA")
    (engine,) = (each for each in here.json("status")["engines"] if each["device"] == "siteA:tun0")
    assert found["socket"] == found["device"] == [engine["pid"]]
    assert found["state"] in (["sleeping"], ["running"])
    assert found["way"] == "through lo"
    assert {"up", "lower_up", "pointopoint"} <= set(found["flags"])
    assert (found["settings"], found["counted"], found["none"]) == ("0", True, [[], [], {}, []])
    here.labctl("exec", "siteA", "--", "kill", "-STOP", str(engine["pid"]))
    assert asked(here, "siteA")["state"] == ["stopped"]
    here.labctl("down")
