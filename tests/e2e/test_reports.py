"""What status, list, logs, validate, schema and completion tell, to a person and to a program."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from functools import partial

import pytest

from tests.e2e.labs import PAIR, many_namespaces, tunnel
from tests.e2e.terminal import terminal
from tests.e2e.world import DEADLINE, World, eventually


@pytest.fixture
def single_host(here: World) -> Iterator[World]:
    here.labctl("up", "single-host")
    yield here
    here.labctl("down")


def test_the_json_of_every_report_has_the_documented_keys(here: World) -> None:
    up = here.json("up", "two-site")
    assert {"lab", "mode", "changes", "substitutions"} <= set(up)
    verify = here.json("verify", "underlay")
    assert {"lab", "passed", "checks"} <= set(verify)
    (check,) = verify["checks"]
    assert {"name", "passed", "expected", "observed", "evidence", "command"} <= set(check)
    status = here.json("status")
    assert {"lab", "mode", "namespaces", "engines"} <= set(status)
    assert up["mode"] == status["mode"] == here.mode
    (lab,) = here.json("list")
    assert (lab["lab"], lab["mode"], lab["namespaces"], lab["engines"]) == ("two-site", here.mode, 2, 2)
    here.labctl("down")


def test_status_tells_a_person_of_namespaces_interfaces_addresses_and_engines(here: World) -> None:
    here.labctl("up", "two-site")
    told = here.labctl("status").stdout
    for word in ("siteA", "tun0", "10.0.101.1/24", "siteB", "10.0.102.1/24", "ttun tun0 10.0.1.1 9000 10.0.2.1 9000"):
        assert word in told
    (engine,) = (each for each in here.json("status")["engines"] if each["device"] == "siteA:tun0")
    here.labctl("exec", "siteA", "--", "kill", "-STOP", str(engine["pid"]))
    told = here.labctl("status").stdout
    assert f"stopped, pid {engine['pid']}" in told and not re.search("^[+-] ", told, re.MULTILINE)
    assert f"~ siteA:tun0 engine {engine['command']}  (is stopped: it forwards nothing)" in told
    here.labctl("exec", "siteA", "--", "kill", "-CONT", str(engine["pid"]))
    assert "is as its file says" in here.labctl("status").stdout
    here.labctl("exec", "siteB", "--", "ip", "link", "set", "tun1", "down")
    here.labctl("exec", "siteA", "--", "ping", "-c", "1", "-W", "0.1", "10.0.102.1", code=1)
    with terminal(here, *here.command("status"), env={"COLUMNS": "80"}) as narrow:
        narrow.expect("TUN written")
        narrow.expect("siteB:tun1 dropped 1 packet for an interface that is down")
        assert narrow.end() == 0
    here.labctl("down")


def test_on_a_terminal_a_lab_is_drawn_while_it_grows_and_a_large_one_counted(here: World) -> None:
    for text, seen in ((PAIR, "⇄ right:eth0"), (many_namespaces(60), "of 600 steps")):
        file = here.file("growing.yaml", text)
        with terminal(here, *here.command("up", file), env={"TERM": "xterm-256color"}) as screen:
            screen.expect(seen)
            screen.expect("is up")
            assert screen.end() == 0
        here.labctl("down")


def test_nothing_is_coloured_in_a_pipe(here: World) -> None:
    for words in (["up", "two-site"], ["status"], ["verify", "underlay"], ["list"], ["doctor"], ["down"]):
        assert "\x1b" not in here.labctl(*words).stdout


def test_status_and_list_without_a_lab(here: World) -> None:
    assert here.json("list") == []
    assert "no lab is running" in here.labctl("list").stdout
    for words in (["status"], ["verify"], ["exec", "a", "--", "true"], ["logs"], ["shell", "a"]):
        said = here.labctl(*words, code=2).stderr
        assert "labctl up" in said and len(said.splitlines()) <= 3
    assert "no lab named nobody" in here.labctl("status", "nobody", code=2).stderr


def test_a_verbose_endpoint_logs_a_line_for_every_packet(single_host: World) -> None:
    ping = ["ping", "-c", "3", "-i", "0.05", "-W", "0.3", "10.0.101.5"]
    single_host.labctl("exec", "host", "--", *ping, code=1)
    line = "10.0.101.1 > 10.0.101.5 ICMP echo request, 84 bytes"
    for device in ("host:tun0", "host:tun1"):
        logged = eventually(partial(lines, single_host, device, line, 3), "the engine has logged")
        assert logged == 3
    together = single_host.labctl("logs").stdout
    assert together.count("offload engaged: tun-tso ") == 2 and together.count(line) == 6
    columns = [line.split(maxsplit=2) for line in together.splitlines()]
    assert {device for _, device, _ in columns} == {"host:tun0", "host:tun1"}
    times = [time for time, _, _ in columns]
    assert times == sorted(times) and all(re.fullmatch(r"\d\d:\d\d:\d\d\.\d{3}", time) for time in times)
    # An engine writes its line once the packet is sent, and the other one may have its own written by then.
    assert sorted(device for _, device, what in columns if line in what) == ["host:tun0"] * 3 + ["host:tun1"] * 3


def lines(here: World, device: str, text: str, at_least: int) -> int:
    found = sum(text in line for line in here.labctl("logs", device).stdout.splitlines())
    return found if found >= at_least else 0


def test_logs_follow_until_ctrl_c(single_host: World) -> None:
    process = single_host.start_labctl(
        "logs", "--follow", "host:tun0",
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
    )  # fmt: skip
    single_host.labctl("exec", "host", "--", "ping", "-c", "1", "-W", "0.1", "10.0.101.77", code=1)
    assert process.stdout is not None
    assert any("10.0.101.77 ICMP echo request" in line for line in process.stdout)
    os.killpg(process.pid, signal.SIGINT)
    _, told = process.communicate(timeout=DEADLINE)
    assert process.returncode == 130 and "Traceback" not in told


def test_logs_end_when_nobody_reads_them(single_host: World) -> None:
    single_host.labctl("exec", "host", "--", "ping", "-c", "3", "-i", "0.05", "-W", "0.1", "10.0.101.5", code=1)
    words = " ".join(single_host.command("logs"))
    done = single_host.run("sh", "-c", f"{words} | head -n 1")
    assert done.stderr == ""


def test_logs_of_an_unknown_device_name_the_nearest(single_host: World) -> None:
    said = single_host.labctl("logs", "host:tun2", code=2).stderr
    assert "did you mean 'host:tun" in said and len(said.splitlines()) <= 3


def test_a_namespace_deleted_by_hand_is_told_and_down_still_works(as_root: World) -> None:
    as_root.labctl("up", "two-site")
    as_root.run("ip", "netns", "del", "siteA")
    assert as_root.json("status")["namespaces"]["siteA"] is None
    assert "gone" in as_root.labctl("status").stdout
    said = as_root.labctl("exec", "siteA", "--", "true", code=2).stderr
    assert "siteA" in said and len(said.splitlines()) <= 3
    as_root.labctl("down")


def test_up_makes_a_namespace_again_that_was_deleted_by_hand(as_root: World) -> None:
    file = as_root.file("tunnel.yaml", tunnel())
    as_root.labctl("up", file)
    as_root.run("ip", "netns", "del", "siteA")
    as_root.labctl("up", file)
    assert as_root.json("verify")["passed"]
    as_root.labctl("down")


def test_a_hint_can_be_typed_where_the_file_has_a_blank_in_its_name(here: World) -> None:
    file = here.file("my pair.yaml", PAIR)
    here.labctl("up", file)
    here.labctl("exec", "left", "--", "ip", "link", "set", "eth0", "down")
    for command, hint in (("status", "labctl up .*(?= repairs it)"), ("verify", "labctl up .*(?= mends them)")):
        told = here.labctl(command, code=None).stdout
        found = re.search(hint, told)
        assert found, told
        typed = shlex.split(found[0])
        assert here.home / typed[-1] == here.home / file, typed
    here.labctl(*typed[1:])
    here.labctl("down")


def test_validate_says_what_a_file_holds_and_makes_nothing(here: World) -> None:
    before = here.snapshot()
    said = here.labctl("validate", here.file("pair.yaml", PAIR)).stdout
    assert "2 namespaces" in said and "no mistakes" in said
    assert here.snapshot() == before


@pytest.mark.parametrize(("kind", "of"), [((), "topology"), (("topology",), "topology"), (("inventory",), "inventory")])
def test_the_schema_is_json(here: World, kind: tuple[str, ...], of: str) -> None:
    schema = json.loads(here.labctl("schema", *kind).stdout)
    assert schema["$schema"].startswith("https://json-schema.org/") and schema["$id"] == f"urn:labctl:{of}"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_completion_of_a_shell_is_written_by_labctl_itself(as_user: World, shell: str) -> None:
    starter = as_user.home / "labctl"
    starter.write_text(f"#!{sys.executable}\nfrom labctl.cli import main\nmain()\n")
    starter.chmod(0o755)
    done = as_user.run(str(starter), env={"_LABCTL_COMPLETE": f"{shell}_source"})
    assert "_LABCTL_COMPLETE" in done.stdout


def completions(world: World, *words: str) -> list[str]:
    """What bash would offer for the last of these words of a command line."""
    starter = world.home / "labctl"
    starter.write_text(f"#!{sys.executable}\nfrom labctl.cli import main\nmain()\n")
    starter.chmod(0o755)
    line = " ".join(("labctl", *words))
    asked = {"_LABCTL_COMPLETE": "bash_complete", "COMP_WORDS": line, "COMP_CWORD": str(len(words))}
    return world.run(str(starter), env=asked).stdout.split()


def test_completion_completes_commands_and_shipped_topologies(here: World) -> None:
    assert completions(here, "ver") == ["plain,verify"]
    assert completions(here, "up", "two") == ["plain,two-site", "file,two"]


def test_completion_completes_what_is_in_a_running_lab(here: World) -> None:
    assert completions(here, "exec", "s") == []
    here.labctl("up", here.file("pair.yaml", PAIR))
    assert completions(here, "down", "p") == ["plain,pair"]
    assert completions(here, "exec", "") == ["plain,left", "plain,right"]
    assert completions(here, "verify", "nothing") == []
    assert completions(here, "exec", "-x", "") == []
    here.labctl("down")


def test_a_reader_who_leaves_does_not_take_the_lab_along(here: World) -> None:
    up = shlex.join(here.command("up", here.file("pair.yaml", PAIR), "--explain"))
    assert here.run("sh", "-c", f"{up} | head -n 1").stdout.startswith("+ ")
    assert here.json("list")
    here.labctl("down")


@pytest.mark.parametrize(
    "command", ["up", "down", "verify", "status", "list", "exec", "shell", "logs", "capture", "doctor"]
)
def test_every_command_explains_itself(as_user: World, command: str) -> None:
    assert "Usage:" in as_user.labctl(command, "--help").stdout
