"""Up closes the gap between the file and the kernel, and touches nothing else."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path

from tests.e2e.world import REPO, World, eventually

TWO_SITE = (REPO / "topologies" / "two-site.yaml").read_text()


def test_plan_tells_by_its_exit_code_whether_there_is_something_to_do(here: World) -> None:
    assert "41 steps" not in here.labctl("plan", "two-site", code=1).stderr
    assert here.labctl("list").stdout.strip() == "no lab is running"
    here.labctl("up", "two-site")
    assert "nothing to do" in here.labctl("plan", "two-site", code=0).stdout
    here.labctl("down")


def test_a_plan_tells_why_and_what_a_person_would_type(here: World) -> None:
    told = here.labctl("plan", "two-site", "--explain", code=1).stdout
    assert "    ip netns add siteA\n" in told
    assert "type dummy\n    # without the dummy driver: ip -n siteA link add name dummy0 type bridge" in told
    here.labctl("up", "two-site")
    here.labctl("exec", "siteB", "--", "ip", "link", "set", "wan0", "mtu", "1400")
    told = here.labctl("plan", "two-site", "--explain", code=1).stdout
    assert "~ siteB:wan0 MTU 1500  (is 1400)\n    ip -n siteB link set dev wan0 mtu 1500\n" in told
    assert here.labctl("up", "two-site", "--explain").stdout.startswith(told.rpartition("two-site: ")[0])
    here.labctl("down")


def test_an_engine_that_was_killed_is_started_again(here: World) -> None:
    here.labctl("up", "two-site")
    victim = here.processes_titled("ttun tun0")[0]
    os.kill(victim, signal.SIGKILL)
    eventually(lambda: not here.json("status")["engines"][0]["running"], "the engine has ended")
    assert [change["subject"] for change in here.json("up", "two-site")["changes"]] == ["siteA:tun0"]
    assert here.json("verify", "ping-across-a-to-b")["passed"]
    here.labctl("down")


def test_an_engine_that_was_stopped_is_started_anew(here: World) -> None:
    here.labctl("up", "two-site")
    victim = here.processes_titled("ttun tun0")[0]
    os.kill(victim, signal.SIGSTOP)
    changes = eventually(lambda: here.json("plan", "two-site", code=None)["changes"], "it is seen")
    assert [(each["action"], each["subject"]) for each in changes] == [
        ("remove", "siteA:tun0"),
        ("make", "siteA:tun0"),
    ]
    here.labctl("up", "two-site")
    assert here.json("verify", "ping-across-a-to-b")["passed"]
    assert victim not in here.processes_titled("ttun tun0")
    here.labctl("down")


def test_what_went_by_another_hand_and_is_not_in_the_file_is_forgotten(here: World) -> None:
    here.labctl("up", "two-site")
    os.kill(here.processes_titled("ttun tun1")[0], signal.SIGKILL)
    assert len(here.json("status")["engines"]) == 2
    alone = TWO_SITE[: TWO_SITE.index("ttun:")] + (
        'ttun: [{device: "siteA:tun0", bind: "10.0.1.1:9000", peer: "10.0.2.1:9000"}]\n'
    )
    here.labctl("up", here.file("alone.yaml", alone.replace("dummy1: {kind: dummy", "dummy1: {kind: bridge")))
    status = here.json("status")
    assert [engine["device"] for engine in status["engines"]] == ["siteA:tun0"]
    assert "siteB:dummy1" not in [each["subject"] for each in status["substitutions"]]
    here.labctl("down")


def test_a_change_that_fails_is_put_back(here: World) -> None:
    here.labctl("up", "two-site")
    before = here.json("status")
    edited = TWO_SITE.replace("[10.0.101.1/24]", "[10.0.101.1/24, 10.0.55.1/24]").replace(
        'device: "siteA:tun0",', 'device: "siteA:tun0", engine: {command: "/no/such/program"},'
    )
    done = here.labctl("up", here.file("edited.yaml", edited), code=2)
    assert "/no/such/program" in done.stderr and "taking back what was made" in done.stdout
    after = here.json("status")
    assert after["drift"] == [] and set(after["namespaces"]) == set(before["namespaces"])
    assert "10.0.55.1/24" not in after["namespaces"]["siteA"]["interfaces"]["tun0"]["addresses"]
    assert all(engine["running"] for engine in after["engines"])
    assert here.json("verify", "ping-across-a-to-b")["passed"]
    assert here.json("plan", "two-site")["changes"] == []
    here.labctl("down")


def test_a_plan_tells_that_a_name_is_taken(as_root: World) -> None:
    as_root.run("ip", "netns", "add", "siteB")
    assert "siteB exists already" in as_root.labctl("plan", "two-site", code=2).stderr
    as_root.run("ip", "netns", "del", "siteB")
    as_root.run("sh", "-c", "umount --internal-only --no-mtab /run/netns && rmdir /run/netns")


def test_what_a_person_types_to_end_an_engine_ends_that_one_alone(as_root: World) -> None:
    """Another lab has an engine with the very same words."""
    as_root.labctl("up", "two-site")
    as_root.labctl("up", "two-site", "--name", "other")
    edited = as_root.file("edited.yaml", TWO_SITE.replace('bind: "10.0.1.1:9000"', 'bind: "10.0.1.1:9001"'))
    (typed,) = [
        change["command"]
        for change in as_root.json("plan", edited, code=1)["changes"]
        if change["change"].startswith("engine") and change["action"] == "remove" and change["subject"] == "siteA:tun0"
    ]
    assert len(as_root.processes_titled("ttun tun0 10.0.1.1 9000")) == 2
    as_root.run("sh", "-c", typed)
    eventually(lambda: len(as_root.processes_titled("ttun tun0 10.0.1.1 9000")) == 1, "one of them has ended")
    running = {each["device"]: each["running"] for each in as_root.json("status", "other")["engines"]}
    assert running == {"other-siteA:tun0": True, "other-siteB:tun1": True}
    as_root.labctl("down", "-a")


OTHER_SITES = """\
  siteC:
    interfaces:
      wan0: {kind: veth, peer: "siteD:wan0", addresses: [198.51.100.1/30]}
      tun2: {kind: tun, addresses: [10.0.103.1/24]}
  siteD:
    interfaces:
      wan0: {kind: veth, peer: "siteC:wan0", addresses: [198.51.100.2/30]}
      tun3: {kind: tun, addresses: [10.0.104.1/24]}
"""
OTHER_TUNNEL = """\
  - {device: "siteC:tun2", bind: "198.51.100.1:9000", peer: "198.51.100.2:9000"}
  - {device: "siteD:tun3", bind: "198.51.100.2:9000", peer: "198.51.100.1:9000"}
"""


def test_edits_change_what_they_say_and_a_connection_goes_on(here: World) -> None:
    """A TCP stream crosses the tunnel of two sites meanwhile, and not a packet of it is lost."""
    four = TWO_SITE.replace("\nttun:\n", f"{OTHER_SITES}\nttun:\n{OTHER_TUNNEL}")
    here.labctl("up", here.file("four.yaml", four))
    stream = "import socket,sys\n"
    server = here.start_labctl(
        "exec", "siteB", "--", "python3", "-c", stream + (
            "s=socket.create_server(('10.0.102.1',7000)); print('ready',flush=True); c,_=s.accept()\n"
            "n=0\nwhile d:=c.recv(65536): n+=len(d)\nprint(n,flush=True)"
        ),
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
    )  # fmt: skip
    assert server.stdout and server.stdout.readline() == "ready\n"
    client = here.start_labctl(
        "exec", "siteA", "--", "python3", "-c", stream + (
            "s=socket.create_connection(('10.0.102.1',7000)); n=0\n"
            "for line in sys.stdin: s.sendall(b'x'*10000); n+=10000; print(n,flush=True)"
        ),
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    assert client.stdin and client.stdout
    into, out_of = client.stdin, client.stdout

    def send() -> str:
        into.write("go\n")
        into.flush()
        return out_of.readline()

    def engines() -> dict[str, int]:
        return {engine["device"]: engine["pid"] for engine in here.json("status")["engines"]}

    def changed_by(text: str) -> list[tuple[str, str]]:
        changes = here.json("up", here.file("four.yaml", text))["changes"]
        told = [(change["subject"], change["change"].split(" ttun")[0]) for change in changes]
        return [change for change in told if not change[1].endswith("/etc/hosts")]  # with each address, in all of them

    assert send() == "10000\n"
    before = engines()
    four = four.replace("[10.0.1.1/24]", "[10.0.1.1/24, 10.0.3.1/24]")
    assert changed_by(four) == [("siteA:dummy0", "address 10.0.3.1/24")]
    assert send() == "20000\n"
    four = four.replace("dummy1: {", "dummy1: {mtu: 1400, ")
    assert changed_by(four) == [("siteB:dummy1", "MTU 1400")]
    assert send() == "30000\n"
    four = four.replace("198.51.100.1:9000", "198.51.100.1:9001")
    assert changed_by(four) == [("siteC:tun2", "engine"), ("siteD:tun3", "engine")] * 2
    assert send() == "40000\n"
    four = four.replace(OTHER_SITES, "").replace(OTHER_TUNNEL.replace("1:9000", "1:9001"), "")
    assert {subject for subject, _ in changed_by(four)} == {"siteC", "siteD", "siteC:tun2", "siteD:tun3"}
    assert send() == "50000\n"
    client.stdin.close()
    assert server.stdout.readline() == "50000\n"
    assert engines() == {device: pid for device, pid in before.items() if device in ("siteA:tun0", "siteB:tun1")}
    near, far = (engine["counters"] for engine in here.json("status")["engines"])
    for one, other in ((near, far), (far, near)):
        assert one["tun_read_packets"] == one["udp_sent_packets"] == other["tun_written_packets"] > 0
        assert not [name for name, count in one.items() if count and name.startswith(("in_", "out_"))]
    for process in (client, server):
        process.wait(10)
        assert process.stdout
        process.stdout.close()
    here.labctl("down")


def test_a_site_that_is_no_longer_in_the_file_goes(here: World) -> None:
    three = "name: three\nnamespaces:\n  a: {interfaces: {d: {kind: dummy}}}\n  b: {interfaces: {d: {kind: dummy}}}\n"
    here.labctl("up", here.file("three.yaml", three))
    changes = here.json("up", here.file("three.yaml", three[: three.index("  b:")]))["changes"]
    assert [(change["action"], change["subject"], change["change"]) for change in changes] == [
        ("remove", "b", "namespace")
    ]
    assert list(here.json("status")["namespaces"]) == ["a"]
    here.labctl("down")


def test_another_port_restarts_the_engines_and_nothing_else(here: World) -> None:
    here.labctl("up", "two-site")
    edited = here.file("edited.yaml", TWO_SITE.replace(":9000", ":9001"))
    subjects = {change["subject"] for change in here.json("up", edited)["changes"]}
    assert subjects == {"siteA:tun0", "siteB:tun1"}
    assert here.json("verify", "ping-across-a-to-b")["passed"]
    here.labctl("down")


def test_a_namespace_that_was_deleted_by_hand_comes_back(as_root: World) -> None:
    as_root.labctl("up", "two-site")
    as_root.run("ip", "netns", "del", "siteB")
    assert as_root.json("status")["namespaces"]["siteB"] is None
    as_root.labctl("up", "two-site")
    assert as_root.json("verify", "ping-across-a-to-b")["passed"]
    as_root.labctl("down")


def test_a_stranger_who_took_the_name_of_a_lost_namespace_is_left_alone(as_root: World) -> None:
    """The kernel may give the stranger the very number that the lab had recorded."""
    as_root.labctl("up", "two-site")
    as_root.run("ip", "netns", "del", "siteB")
    as_root.run("ip", "netns", "add", "siteB")
    assert as_root.labctl("up", "two-site", code=2).stderr.startswith("a network namespace named siteB exists already")
    as_root.labctl("down")
    names = json.loads(as_root.run("ip", "-j", "netns", "list").stdout)
    assert [name["name"] for name in names] == ["siteB"]
    as_root.run("ip", "netns", "del", "siteB")
    as_root.run("sh", "-c", "umount --internal-only --no-mtab /run/netns && rmdir /run/netns")
    assert not Path("/run/netns/siteB").exists()
