"""Somebody's own forwarder in place of the built-in one, and impairments of the built-in one."""

from __future__ import annotations

import shlex

from tests.e2e.world import World

SITES = """
name: pair
namespaces:
  a:
    interfaces:
      wan0: {kind: veth, peer: "b:wan0", addresses: [192.0.2.1/30]}
      tun0: {kind: tun, addresses: [10.0.101.1/24]}
    routes: [{to: 10.0.102.0/24, dev: tun0}]
  b:
    interfaces:
      wan0: {kind: veth, peer: "a:wan0", addresses: [192.0.2.2/30]}
      tun0: {kind: tun, addresses: [10.0.102.1/24]}
    routes: [{to: 10.0.101.0/24, dev: tun0}]
ttun:
  - {device: "a:tun0", bind: "192.0.2.1:9000", peer: "192.0.2.2:9000", OPTIONS}
  - {device: "b:tun0", bind: "192.0.2.2:9000", peer: "192.0.2.1:9000"}
checks:
  - {name: across, ping: {from: a, to: 10.0.102.1}, crosses: ["a:tun0", "b:tun0"]}
  - {name: data, nc: {from: a, to: b, address: 10.0.102.1, port: 8000, reply: "back"}, crosses: ["a:tun0", "b:tun0"]}
"""

SOCAT = (
    "socat TUN,tun-name={device},iff-no-pi,tun-type=tun UDP:{peer_address}:{peer_port},bind={bind_address}:{bind_port}"
)


def _with(options: str) -> str:
    return SITES.replace("OPTIONS", options)


def test_a_lab_with_somebody_elses_engine_at_one_end(here: World) -> None:
    here.labctl("up", here.file("mixed.yaml", _with(f'engine: {{command: "{SOCAT}"}}')))
    assert here.json("verify")["passed"]
    engines = {engine["device"]: engine for engine in here.json("status")["engines"]}
    assert engines["a:tun0"]["command"].startswith("socat") and engines["a:tun0"]["running"]
    here.labctl("down")


def test_what_an_engine_said_before_it_died_is_told(here: World) -> None:
    done = here.labctl(
        "up", here.file("dies.yaml", _with("""engine: {command: 'sh -c "echo no luck; exit 3"'}""")), code=2
    )
    assert "no luck" in done.stderr


def test_a_command_that_is_not_there_is_a_mistake_in_the_file(here: World) -> None:
    done = here.labctl("up", here.file("absent.yaml", _with("engine: {command: no-such-forwarder}")), code=2)
    assert "no-such-forwarder" in done.stderr and len(done.stderr.splitlines()) <= 3


def test_a_word_that_a_command_does_not_know_is_told_with_its_place(here: World) -> None:
    done = here.labctl("validate", here.file("word.yaml", _with('engine: {command: "fwd {devise}"}')), code=2)
    assert "word.yaml:15:90: " in done.stderr and "{devise}" in done.stderr


def test_the_same_seed_loses_the_same_packets(here: World) -> None:
    counted = []
    for _ in range(2):
        here.labctl("up", here.file("loss.yaml", _with("impair: {loss: 30%, seed: 7}")))
        here.labctl("exec", "a", "--", "ping", "-q", "-c", "40", "-i", "0.005", "-W", "0.2", "10.0.102.1", code=None)
        counters = here.json("status")["engines"][0]["counters"]
        assert counters["tun_read_packets"] == counters["udp_sent_packets"] + counters["out_lost"] == 40
        counted.append(counters["out_lost"])
        here.labctl("down")
    assert counted[0] == counted[1] > 0


def test_impairments_change_at_run_time_and_what_is_not_named_stays(here: World) -> None:
    here.labctl("up", here.file("delay.yaml", _with("impair: {delay: 100ms, seed: 1}")))
    assert all("seccomp" in engine["offload"] for engine in here.json("status")["engines"])
    assert "seccomp on (a:tun0, b:tun0)" in here.labctl("status").stdout.replace("\n", " ")
    assert "seccomp on" in here.labctl("logs", "a:tun0").stdout
    shown = here.json("impair", "a:tun0", "--loss", "0.5")
    assert (shown["out"]["delay"], shown["out"]["loss"], shown["in"]["delay"]) == (0.1, 0.5, 0.0)
    assert "has no unit" in here.labctl("impair", "a:tun0", "--reset", "--delay", "50", code=2).stderr
    assert here.json("impair", "a:tun0", "--show") == shown, "what is refused changes nothing"
    shown = here.json("impair", "a:tun0", "--reset", "--direction", "in", "--delay", "20ms")
    assert (shown["out"]["loss"], shown["out"]["seed"], shown["in"]["delay"]) == (0.0, None, 0.02)
    shown = here.json("impair", "a:tun0", "--reset", "--direction", "in", "--loss", "1%")
    assert (shown["in"]["delay"], shown["in"]["loss"]) == (0.0, 0.01)
    assert here.json("impair", "a:tun0", "--reset")["in"]["loss"] == 0.0
    assert here.json("verify")["passed"]
    here.labctl("down")


def engines(here: World) -> dict[str, int]:
    return {engine["device"]: engine["pid"] for engine in here.json("status")["engines"]}


def test_an_edit_of_an_impairment_changes_it_in_the_running_engine(here: World) -> None:
    here.labctl("up", here.file("lab.yaml", _with("impair: {delay: 100ms, seed: 1}")))
    before = engines(here)
    (change,) = here.json("up", here.file("lab.yaml", _with("impair: {delay: 50ms, loss: 1%}")))["changes"]
    assert (change["subject"], change["change"], change["reason"]) == (
        "a:tun0", "engine impairs out delay 50ms loss 1%", "is delay 100ms seed 1"
    )  # fmt: skip
    in_force = here.json("impair", "a:tun0", "--show")["out"]
    assert (in_force["delay"], in_force["loss"], in_force["seed"]) == (0.05, 0.01, None)
    here.labctl("up", here.file("lab.yaml", _with("verbose: false")))
    assert here.json("impair", "a:tun0", "--show")["out"]["delay"] == 0.0
    assert engines(here) == before
    here.labctl("down")


def test_an_impairment_that_somebody_asked_for_is_drift(here: World) -> None:
    file = here.file("lab.yaml", _with("impair: {delay: 1ms}"))
    here.labctl("up", file)
    before = engines(here)
    here.labctl("impair", "b:tun0", "--direction", "in", "--loss", "100%")
    here.labctl("impair", "a:tun0", "--delay", "2ms", "--rate", "10mbit")
    a, b = here.json("status")["drift"]
    assert (a["change"], a["reason"]) == ("engine impairs out delay 1ms", "is delay 2ms rate 10mbit")
    assert (b["change"], b["reason"]) == ("engine impairs in none", "is loss 100%")
    here.labctl(*shlex.split(a["command"])[1:])  # what a person types for the same
    assert here.json("status")["drift"] == here.json("up", file)["changes"] == [b]
    assert here.json("verify")["passed"] and engines(here) == before
    assert here.json("up", file)["changes"] == []
    here.labctl("down")


def test_a_delay_is_what_a_ping_measures(here: World) -> None:
    here.labctl("up", here.file("delay.yaml", _with("impair: {delay: 60ms}, impair_in: {delay: 40ms}")))
    told = here.labctl("exec", "a", "--", "ping", "-q", "-c", "5", "-i", "0.01", "10.0.102.1").stdout
    fastest = float(told.rpartition("= ")[2].split("/")[0])
    assert 100 <= fastest < 130
    here.labctl("down")
