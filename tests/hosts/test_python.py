"""A lab over hosts from Python and from pytest, in the words of one on one machine; it ends with the program."""

from __future__ import annotations

import sys

from tests.hosts.conftest import Wire
from tests.hosts.test_two_site import INVENTORY

PROGRAM = """
from labctl import Lab, UsageError

with Lab.up("two-site", inventory="servers.yaml") as lab:
    assert Lab.plan("two-site", inventory="servers.yaml").pending.changes == ()
    assert [host.reached for host in lab.status().hosts] == [True, True]
    assert [namespace.name for namespace in lab] == ["siteA", "siteB"]
    assert lab["siteB"].run("ip -o -4 addr show dev wan0").stdout.count("192.0.2.2/30") == 1
    assert lab["siteA"].run(["sh", "-c", "cat; exit 3"], input="in and out").returncode == 3
    try:
        lab.impair("siteA:nothing")
    except UsageError as error:
        assert error.what.startswith("on srv1: lab two-site has neither"), error
    assert [each.device for each in lab.restart("siteA:tun0").engines] == ["siteA:tun0"]
    try:
        lab["siteB"].run("no-such-program")
    except UsageError as error:
        assert error.what == "on srv2: 'no-such-program' cannot be run", error
    print(lab["siteA"].run("ping -c1 -W5 siteB.tun1").stdout)
assert Lab.list() == ()
"""


def test_a_program_makes_a_lab_over_hosts_and_it_ends_with_it(wire: Wire) -> None:
    near = wire.near
    near.file("servers.yaml", INVENTORY)
    near.file("program.py", PROGRAM)
    assert " 0% packet loss" in near.run(sys.executable, "program.py").stdout
    assert wire.srv1.json("list") == wire.srv2.json("list") == []


def test_the_checks_of_a_lab_over_hosts_are_tests_of_pytest(wire: Wire) -> None:
    near = wire.near
    near.file("servers.yaml", INVENTORY)
    words = ("--lab", "two-site", "--lab-inventory", "servers.yaml", "-k", "hello-over-udp-a")
    done = near.run(sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-q", *words)
    assert "1 passed" in done.stdout
    assert near.json("list") == wire.srv1.json("list") == []
