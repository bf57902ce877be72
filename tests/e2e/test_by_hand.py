"""What a person sees by hand is what the file says: exec, shell, and ip(8) itself."""

from __future__ import annotations

import json
import signal
from typing import Any

import pytest

from tests.e2e.labs import PAIR
from tests.e2e.terminal import terminal
from tests.e2e.world import DEADLINE, World, eventually

ADDRESSES = {
    "siteA": {"dummy0": ["10.0.1.1/24"], "wan0": ["192.0.2.1/30"], "tun0": ["10.0.101.1/24"]},
    "siteB": {"dummy1": ["10.0.2.1/24"], "wan0": ["192.0.2.2/30"], "tun1": ["10.0.102.1/24"]},
}


def addresses(text: str) -> dict[str, list[str]]:
    return {
        link["ifname"]: [f"{one['local']}/{one['prefixlen']}" for one in link["addr_info"]]
        for link in json.loads(text)
        if link["ifname"] != "lo"
    }


@pytest.fixture
def two_site(here: World) -> Any:
    here.labctl("up", "two-site")
    yield here
    here.labctl("down")


@pytest.fixture
def pair(here: World) -> Any:
    here.labctl("up", here.file("pair.yaml", PAIR))
    yield here
    here.labctl("down", "pair")


def test_ip_addr_shows_the_addresses_of_the_file_and_no_other(two_site: World) -> None:
    seen = {
        space: addresses(two_site.labctl("exec", space, "--", "ip", "-j", "addr").stdout)
        for space in ("siteA", "siteB")
    }
    assert seen == ADDRESSES


def test_ip_route_shows_the_routes_of_the_file(two_site: World) -> None:
    routes = json.loads(two_site.labctl("exec", "siteA", "--", "ip", "-j", "route").stdout)
    seen = {(route["dst"], route.get("gateway"), route["dev"]) for route in routes if route["protocol"] != "kernel"}
    assert seen == {("10.0.2.0/24", "192.0.2.2", "wan0"), ("10.0.102.0/24", None, "tun0")}


def test_every_interface_is_up_and_the_tun_leaves_room_for_the_headers(two_site: World) -> None:
    links = json.loads(two_site.labctl("exec", "siteA", "--", "ip", "-j", "link").stdout)
    assert all("UP" in link["flags"] for link in links)
    mtu = {link["ifname"]: link["mtu"] for link in links}
    assert (mtu["wan0"], mtu["tun0"]) == (1500, 1500 - 20 - 8)


def test_status_says_what_ip_says(two_site: World) -> None:
    told = two_site.json("status")["namespaces"]
    seen = {
        space: {name: list(link["addresses"]) for name, link in told[space]["interfaces"].items() if name != "lo"}
        for space in told
    }
    assert seen == ADDRESSES


def test_root_may_use_ip_netns_exec_with_the_names_of_the_file(as_root: World) -> None:
    as_root.labctl("up", "two-site")
    assert addresses(as_root.run("ip", "netns", "exec", "siteA", "ip", "-j", "addr").stdout) == ADDRESSES["siteA"]
    as_root.labctl("down")


def test_exec_ends_with_the_code_of_the_command(pair: World) -> None:
    for script, code in (("true", 0), ("exit 7", 7), ("exit 255", 255), ("kill -KILL $$", 137), ("kill $$", 143)):
        pair.labctl("exec", "left", "--", "sh", "-c", script, code=code)


def test_a_command_that_cannot_be_run_is_told(pair: World) -> None:
    for command in ("no-such-command", "/etc/passwd", "/etc/passwd/x"):
        said = pair.labctl("exec", "left", "--", command, code=2).stderr
        assert command in said and len(said.splitlines()) <= 3


def test_options_of_the_command_are_its_own(pair: World) -> None:
    assert pair.labctl("exec", "left", "--", "echo", "-l", "--help", "-f").stdout == "-l --help -f\n"


def test_input_and_output_pass_through_exec_unchanged(pair: World) -> None:
    text = "".join(f"line {number}\n" for number in range(20000))
    assert pair.labctl("exec", "left", "--", "cat", say=text).stdout == text


def test_the_two_outputs_of_a_command_stay_apart(pair: World) -> None:
    done = pair.labctl("exec", "left", "--", "sh", "-c", "echo out; echo err >&2")
    assert (done.stdout, done.stderr) == ("out\n", "err\n")


def test_exec_stays_in_the_directory_and_names_the_namespace(pair: World) -> None:
    done = pair.labctl("exec", "left", "--", "sh", "-c", "pwd; echo $LABCTL_LAB $LABCTL_NAMESPACE")
    assert done.stdout == f"{pair.home}\npair left\n"


def test_an_unknown_namespace_is_told_with_the_nearest_one(pair: World) -> None:
    said = pair.labctl("exec", "lefd", "--", "true", code=2).stderr
    assert "lefd" in said and "did you mean 'left'" in said and len(said.splitlines()) <= 3


def test_with_two_labs_exec_must_be_told_which_unless_the_namespace_tells(pair: World) -> None:
    pair.labctl("up", str(pair.home / "pair.yaml"), "--name", "second")
    said = pair.labctl("exec", "lefd", "--", "true", code=2).stderr
    assert "pair" in said and "second" in said and "-l" in said
    pair.labctl("exec", "left", "--", "true")
    pair.labctl("exec", "-l", "pair", "left", "--", "true")
    pair.labctl("exec", "second-left", "-l", "second", "--", "true")
    pair.labctl("exec", "left", "--", "true", env={"LABCTL_LAB": "second"})
    pair.labctl("down", "second")


@pytest.mark.parametrize("name", ["left", "mine-left"])
def test_a_renamed_lab_is_addressed_with_and_without_its_prefix(here: World, name: str) -> None:
    here.labctl("up", here.file("pair.yaml", PAIR), "--name", "mine")
    assert here.labctl("exec", name, "--", "sh", "-c", "echo $LABCTL_NAMESPACE").stdout == "mine-left\n"
    here.labctl("down")


@pytest.mark.parametrize("program", ["/bin/bash", "/bin/sh"])
def test_the_prompt_of_a_shell_names_the_namespace(pair: World, program: str) -> None:
    with terminal(pair, *pair.command("shell", "left"), env={"SHELL": program, "TERM": "dumb"}) as screen:
        screen.expect("[left]")
        screen.type("echo in:$LABCTL_NAMESPACE:$LABCTL_LAB:\n")
        screen.expect("in:left:pair:")
        screen.type("ip -br addr show eth0\n")
        screen.expect("192.0.2.1/30")
        screen.type("exit 7\n")
        assert screen.end() == 7, screen.seen


def test_ctrl_c_in_a_shell_ends_the_program_and_not_the_shell(pair: World) -> None:
    with terminal(pair, *pair.command("shell", "left"), env={"SHELL": "/bin/bash", "TERM": "dumb"}) as screen:
        screen.expect("[left]")
        screen.type("sleep 1000\n")
        eventually(lambda: pair.processes_titled("sleep 1000"), "sleep runs")
        screen.type("\x03")
        screen.expect("[left]")
        screen.type("echo still-$((40 + 2))\n")
        screen.expect("still-42")
        screen.type("exit\n")
        screen.end()
    assert not pair.processes_titled("sleep 1000")


def test_ctrl_c_ends_a_command_of_exec_with_130(pair: World) -> None:
    with terminal(pair, *pair.command("exec", "left", "--", "sleep", "1000")) as screen:
        eventually(lambda: [p for p, t in pair.processes() if t.startswith("sleep")], "sleep runs")
        screen.type("\x03")
        assert screen.end() == 130


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
def test_a_command_ends_with_the_exec_that_was_ended(pair: World, number: signal.Signals) -> None:
    process = pair.start_labctl("exec", "left", "--", "sleep", "1000")
    eventually(lambda: [p for p, t in pair.processes() if t.startswith("sleep")], "sleep runs")
    process.send_signal(number)
    eventually(lambda: not [p for p, t in pair.processes() if t.startswith("sleep")], "sleep is ended")
    process.wait(DEADLINE)
