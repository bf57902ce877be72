"""Every namespace of a lab knows the others, and their interfaces, by name."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.e2e.labs import PAIR
from tests.e2e.terminal import terminal
from tests.e2e.test_view import etc
from tests.e2e.world import World


def known(here: World, namespace: str, *names: str) -> list[str]:
    """The IPv4 address that a name means there, as a program asks for it (getaddrinfo)."""
    code = 0 if names else 2
    look = here.labctl("exec", namespace, "--", "getent", "ahostsv4", *names, code=code).stdout
    return list(dict.fromkeys(line.split()[0] for line in look.splitlines()))


@pytest.fixture
def two_site(here: World) -> Iterator[World]:
    here.labctl("up", "two-site")
    yield here
    here.labctl("down")


def test_a_namespace_pings_others_and_their_interfaces_by_name(two_site: World) -> None:
    for name, address in {"siteB": "10.0.2.1", "siteB.tun1": "10.0.102.1", "siteb.WAN0": "192.0.2.2"}.items():
        done = two_site.labctl("exec", "siteA", "--", "ping", "-c", "1", "-W", "3", name)
        assert f"({address})" in done.stdout and "1 received" in done.stdout
    assert known(two_site, "siteB", "siteB") == ["10.0.2.1"]
    assert known(two_site, "siteB", "siteA.tun0") == ["10.0.101.1"]
    assert known(two_site, "siteA", "localhost") == ["127.0.0.1"]
    with terminal(two_site, *two_site.command("shell", "siteA"), env={"SHELL": "/bin/sh", "TERM": "dumb"}) as screen:
        screen.expect("[siteA]")
        screen.type("getent hosts siteB.wan0\n")
        screen.expect("192.0.2.2")
        screen.type("exit\n")
        screen.end()
    assert two_site.run("getent", "hosts", "siteB", code=2).stdout == ""


def test_what_was_changed_by_hand_is_seen_and_repaired(two_site: World) -> None:
    before = two_site.labctl("exec", "siteA", "--", "cat", "/etc/hosts").stdout
    for by_hand in ("echo 192.0.2.9 other >> /etc/hosts", "sed -i.old s/siteB/siteC/ /etc/hosts || echo > /etc/hosts"):
        two_site.labctl("exec", "siteA", "--", "sh", "-c", by_hand)
        (drift,) = two_site.json("status")["drift"]
        assert (drift["subject"], drift["change"], drift["reason"]) == ("siteA", "8 names in /etc/hosts", "are others")
        two_site.labctl("up", "two-site")
        assert two_site.labctl("exec", "siteA", "--", "cat", "/etc/hosts").stdout == before


def test_an_edited_lab_has_other_names_and_a_program_that_runs_knows_them(here: World) -> None:
    here.labctl("up", here.file("pair.yaml", PAIR))
    edited = here.file("edited.yaml", PAIR.replace("192.0.2.2", "192.0.2.3").replace("/30", "/24"))
    waits = "getent hosts right; read line; getent hosts right"
    process = here.start(here.command("exec", "left", "--", "sh", "-c", waits), stdin=-1, stdout=-1)
    assert process.stdout and process.stdout.readline().split() == ["192.0.2.2", "right", "right.eth0"]
    here.labctl("up", edited)
    assert process.communicate("\n")[0].split() == ["192.0.2.3", "right", "right.eth0"]
    here.labctl("down")


def test_a_renamed_lab_has_the_names_of_its_file_too(here: World) -> None:
    here.labctl("up", here.file("pair.yaml", PAIR), "--name", "mine")
    assert known(here, "left", "right") == known(here, "left", "mine-right.eth0") == ["192.0.2.2"]
    here.labctl("down")


def test_a_lab_may_do_without_and_a_file_of_a_namespace_wins(here: World) -> None:
    without = here.file("without.yaml", PAIR.replace("name: pair\n", "name: pair\nhosts_file: false\n"))
    here.labctl("up", without)
    outside = here.run("cat", "/etc/hosts").stdout
    assert here.labctl("exec", "left", "--", "cat", "/etc/hosts").stdout == outside
    own = PAIR.replace("  left:\n", "  left:\n    files: {/etc/hosts: {content: 192.0.2.9 own}}\n")
    here.labctl("up", here.file("own.yaml", own))
    assert here.labctl("exec", "left", "--", "cat", "/etc/hosts").stdout == "192.0.2.9 own"
    assert known(here, "right", "left") == ["192.0.2.1"]
    changes = here.json("plan", without, code=1)["changes"]
    assert [(step["subject"], step["action"], step["change"]) for step in changes] == [
        ("left", "remove", "file /etc/hosts"),
        ("right", "remove", "the names of the lab in /etc/hosts"),
    ]
    here.labctl("up", without)
    assert here.labctl("exec", "right", "--", "cat", "/etc/hosts").stdout == outside
    here.labctl("down")


def test_what_the_machine_has_for_a_namespace_wins_over_the_names(here: World) -> None:
    with etc(here, {"netns/left/hosts": "192.0.2.9 own\n"}):
        here.labctl("up", here.file("pair.yaml", PAIR))
        assert here.labctl("exec", "left", "--", "cat", "/etc/hosts").stdout == "192.0.2.9 own\n"
        here.labctl("down")


def test_why_takes_names(two_site: World) -> None:
    assert two_site.json("why", "siteA", "siteB.tun1")["to"] == "10.0.102.1"
    assert two_site.json("why", "siteB", "SITEA")["reached"] is True
    refused = two_site.labctl("why", "siteA", "siteC", code=2).stderr
    assert "'siteC' is no IP address, and no name of the lab" in refused
