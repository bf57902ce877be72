"""Lines of `exec:` run once, when the lab is made; one that does not end as it must takes the lab back."""

from __future__ import annotations

import json
import os
import signal
import subprocess

import pytest

from tests.e2e.labs import WHOLE, tunnel
from tests.e2e.test_every_step import is_back
from tests.e2e.world import World, eventually

LINES = """\
name: lines
namespaces:
  a:
    interfaces: {lo: {kind: lo, addresses: [10.0.0.1/32]}}
    routes: [{to: 10.9.0.0/16, type: blackhole}]
    files: {/etc/labctl-test/own: {content: "own\\n"}}
    exec: [%s]
  b: {}
"""


def lines(*written: object) -> str:
    return LINES % ", ".join(json.dumps(line) for line in written)


def said(here: World) -> str:
    """What the lines have written to a file beside the topology."""
    return (here.home / "said").read_text()


def test_they_run_in_order_once_all_else_is_there_and_never_again(here: World) -> None:
    look = "ip -br address show lo; ip route; cat /etc/labctl-test/own; pwd; echo $LABCTL_LAB $LABCTL_NAMESPACE"
    file = here.file(
        "lines.yaml", lines(f"({look}) | tee said", "echo second >> said", {"command": "exit 3", "exit": 3})
    )
    done = here.labctl("up", file)
    assert "exec echo second >> said" in done.stdout
    told = said(here)
    for seen in ("10.0.0.1/32", "blackhole 10.9.0.0/16", "own\n", f"{here.home}\n", "lines a\n", "second\n"):
        assert seen in told
    assert "nothing to do" in here.labctl("up", file).stdout
    assert said(here) == told
    here.labctl("down")
    here.labctl("up", file)
    assert said(here) == told  # written anew
    here.labctl("down")


def test_they_run_when_tunnels_forward_and_before_programs(here: World) -> None:
    line = "ping -c 1 -W 3 10.0.102.1 > /dev/null && ! grep -q web said 2>/dev/null && echo line >> said"
    program = 'programs: [{name: web, command: "sh -c \\"echo web >> said; exec sleep 1000\\""}]'
    text = tunnel(**WHOLE).replace("  siteA:\n", f"  siteA:\n    exec: [{json.dumps(line)}]\n    {program}\n", 1)
    here.labctl("up", here.file("tunnel.yaml", text))
    assert said(here) == "line\nweb\n"
    here.labctl("down")


def test_a_line_that_is_added_or_changed_runs(here: World) -> None:
    here.labctl("up", here.file("lines.yaml", lines("echo one >> said", "echo two >> said")))
    edited = here.file("edited.yaml", lines("echo one >> said", "echo 2 >> said", "echo three >> said"))
    changes = here.json("plan", edited, code=1)["changes"]
    assert [(step["change"], step["reason"]) for step in changes] == [
        ("exec echo 2 >> said", "has not run"),
        ("exec echo three >> said", "has not run"),
    ]
    here.labctl("up", edited)
    assert said(here) == "one\ntwo\n2\nthree\n"
    here.labctl("up", here.file("lines.yaml", lines("echo one >> said")))  # taken out, and put in again
    here.labctl("up", edited)
    assert said(here) == "one\ntwo\n2\nthree\n2\nthree\n"
    here.labctl("exec", "b", "--", "ip", "netns", "del", "a")
    here.labctl("up", edited)
    assert said(here) == "one\ntwo\n2\nthree\n" + "2\nthree\n" + "one\n2\nthree\n"
    here.labctl("down")


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (
            "echo good; echo bad >&2; exit 3",
            """\
a: exec echo good; echo bad >&2; exit 3 ended with exit code 3
  it said:
    good
    bad
  → correct the line, or say which code it must have: `exit:`
""",
        ),
        (
            {"command": "true", "exit": 1},
            """\
a: exec true ended with exit code 0, not with 1
  it said nothing
  → correct the line, or say which code it must have: `exit:`
""",
        ),
        (
            {"command": "echo begun; sleep 1000 & sleep 1000", "within": 0.3},
            """\
a: exec echo begun; sleep 1000 & sleep 1000 did not end within 0.3 s
  it said:
    begun
  → let it end, or give it longer: `within:`
""",
        ),
        (
            {"command": "trap '' TERM; echo begun; while :; do sleep 1; done", "within": 0.3},
            "a: exec trap '' TERM; echo begun; while :; do sleep 1; done did not end within 0.3 s\n",
        ),
        (
            {"command": "exec 1>&- 2>&-; exec sleep 1000", "within": 0.3},
            "a: exec exec 1>&- 2>&-; exec sleep 1000 did not end within 0.3 s\n  it said nothing\n",
        ),
        ({"command": "yes", "within": 0.3}, "a: exec yes did not end within 0.3 s\n  it said:\n    y\n"),
        ("labctl-no-such-program", "/bin/sh: 1: labctl-no-such-program: not found\n"),
        ({"command": "true", "cwd": "no-such-directory"}, "no-such-directory"),
        ("printf '\\377\\n'; kill -9 $$", "a: exec printf '\\377\\n'; kill -9 $$ ended by SIGKILL\n"),
    ],
    ids=["code", "zero", "endless", "deaf", "silent", "talking", "missing", "nowhere", "killed"],
)
def test_one_that_does_not_end_as_it_must_takes_all_back(here: World, line: object, told: str) -> None:
    before = here.snapshot()
    failed = here.labctl("up", here.file("lines.yaml", lines("true", line)), code=2)
    assert told in failed.stderr
    is_back(here, before, 0)


def test_in_a_running_lab_it_leaves_what_was_there(here: World) -> None:
    here.labctl("up", here.file("lines.yaml", lines("echo one >> said")))
    edited = here.file("lines.yaml", lines("echo one >> said", "false").replace("10.0.0.1", "10.0.0.2"))
    assert "ended with exit code 1" in here.labctl("up", edited, code=2).stderr
    assert "10.0.0.1/32" in here.labctl("exec", "a", "--", "ip", "-br", "address").stdout
    assert here.json("status")["drift"] == []
    assert said(here) == "one\n"
    here.labctl("down")


TUNNEL = """\
name: vxlan
namespaces:
  a:
    interfaces: {eth0: {kind: veth, peer: "b:eth0", addresses: [192.0.2.1/30]}}
    exec:
      - ip link add t0 type vxlan id 5 dstport 4789 local 192.0.2.1 remote 192.0.2.2
      - ip address add 10.9.0.1/24 dev t0
      - ip link set t0 up
      - ip route add 10.8.0.0/16 via 10.9.0.2
  b:
    interfaces: {eth0: {kind: veth, peer: "a:eth0", addresses: [192.0.2.2/30]}}
    exec:
      - ip link add t0 type vxlan id 5 dstport 4789 local 192.0.2.2 remote 192.0.2.1
      - ip address add 10.9.0.2/24 dev t0
      - ip link set t0 up
checks:
  - {name: across, ping: {from: a, to: 10.9.0.2, timeout: 0.5}, crosses: ["a:eth0", "b:eth0"]}
"""


def test_a_tunnel_that_no_file_describes_stays_and_its_packets_are_followed(here: World) -> None:
    file = here.file("vxlan.yaml", TUNNEL)
    here.labctl("up", file)
    for _ in range(2):
        assert here.json("status")["drift"] == []
        (across,) = here.json("verify")["checks"]
        assert [each["observed"] for each in across["evidence"]] == [3] * 4
        again = here.labctl("up", file).stdout
        assert "nothing to do" in again and "interface t0" in again
    traced = json.loads(here.labctl("trace", "-f", "json", "a", "--", "ping", "-c", "1", "10.9.0.2").stdout)
    echo = next(each for each in traced["packets"] if each["packet"].get("protocol") == "ICMP")
    assert [(rung["hop"], rung["namespace"], rung["interface"]) for rung in echo["rungs"]] == [
        ("transmitted", "a", "t0"), ("encapsulated", "a", "t0"), ("transmitted", "a", "eth0"),
        ("received", "b", "eth0"), ("decapsulated", "b", "t0"), ("received", "b", "t0"), ("accepted", "b", ""),
    ]  # fmt: skip
    here.labctl("down")


def test_behind_a_tunnel_that_no_file_describes_no_cause_is_named(here: World) -> None:
    here.labctl("up", here.file("vxlan.yaml", TUNNEL))
    here.labctl("verify")
    here.labctl("exec", "b", "--", "ip", "link", "set", "t0", "down")
    (cause,) = here.json("verify", code=1)["diagnosis"]
    assert (cause["hop"], cause["reason"], cause["fix"]) == ("a:t0", "unknown", ""), cause
    seen = {"place": "b:eth0", "what": "arrived", "value": "3 packets seen on the wire, and nowhere later"}
    assert seen in cause["evidence"]
    here.labctl("down")


def test_an_up_that_is_interrupted_ends_the_line(here: World) -> None:
    before = here.snapshot()
    command = here.command("up", here.file("lines.yaml", lines("echo begun > said; exec sleep 1000")))
    process = here.start(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True)
    eventually(lambda: (here.home / "said").exists() and said(here), "the line runs")
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does it
    process.communicate()
    is_back(here, before, 0)


def test_what_it_leaves_running_stays_until_down(here: World) -> None:
    here.labctl("up", here.file("lines.yaml", lines("sleep 1000 > /dev/null 2>&1 & echo $! > said")))
    pid = said(here).strip()
    assert "sleep" in here.labctl("exec", "a", "--", "cat", f"/proc/{pid}/cmdline").stdout
    assert f"process {pid}" in here.labctl("down").stdout


def test_a_line_has_ended_though_what_it_leaves_running_writes_without_end(here: World) -> None:
    here.labctl("up", here.file("lines.yaml", lines("yes & echo told > said")))
    assert said(here) == "told\n"
    here.labctl("down")


def test_the_script_runs_them_too(as_root: World) -> None:
    text = lines("echo one >> said", {"command": "echo two >> said; exit 1", "exit": 1})
    script = as_root.labctl("export", as_root.file("lines.yaml", text)).stdout
    as_root.run("sh", as_root.file("lines.sh", script), cwd="/")
    assert said(as_root) == "one\ntwo\n"
    as_root.run("sh", f"{as_root.home}/lines.sh", "down")
    wrong = as_root.labctl("export", as_root.file("lines.yaml", lines({"command": "true", "exit": 1}))).stdout
    as_root.run("sh", as_root.file("lines.sh", wrong), code=1)
    as_root.run("sh", f"{as_root.home}/lines.sh", "down")
    as_root.run("sh", "-c", "umount -n -i /run/netns && rmdir /run/netns")  # which ip(8) leaves as it needs it
