"""A host that is lost while it is asked what is there, or why a check has failed: no reason is made up."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from functools import partial

import pytest

from labctl.api.over_hosts.gather import GatherThere
from labctl.api.over_hosts.sessions import Sessions
from tests.hosts.conftest import Wire, standing
from tests.hosts.losing import labctl_losing

LAB = """
name: asked
hosts: {srv1: {ports: 47000-47009}, srv2: {ports: 47000-47009}}
namespaces:
  a:
    host: srv1
    interfaces:
      w: {kind: veth, peer: "b:w", addresses: [10.4.0.1/24]}
      v: {kind: veth, peer: "c:v", addresses: [10.5.0.1/24]}
  c: {host: srv1, interfaces: {v: {kind: veth, peer: "a:v", addresses: [10.5.0.2/24]}}}
  b:
    host: srv2
    interfaces: {w: {kind: veth, peer: "a:w", addresses: [10.4.0.2/24]}}
    nft: "table inet shut { chain in { type filter hook input priority 0; icmp type echo-request drop; }; }"
checks:
  - {name: across, ping: {from: a, to: 10.4.0.2, count: 1}, crosses: ["a:w", "b:w"]}
  - {name: within, ping: {from: a, to: 10.5.0.2, count: 1}, crosses: ["a:v", "c:v"]}
"""


@pytest.fixture(scope="module")
def made(_machines: Wire) -> Iterator[Wire]:
    """The machines with the lab, made once."""
    with standing(_machines, "asked.yaml", LAB):
        yield _machines


def _losing(made: Wire, host: str, question: tuple[type, str], *words: str, code: int) -> str:
    """Return what labctl says that loses a host just before it asks something."""
    losing = partial(labctl_losing, host, *question)
    with made.near.start_labctl(*words, main=losing, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as command:
        out, err = command.communicate()
    assert command.returncode == code, (out, err)
    assert "Traceback" not in err
    return out + err


@pytest.mark.parametrize("question", ["seen", "namespaces", "look_ups", "begin_trace"])
def test_what_took_the_packets_is_not_known(made: Wire, question: str) -> None:
    told = _losing(made, "srv1", (GatherThere, question), "why", "a", "10.4.0.2", code=1)
    assert "for a reason that is not known" in told
    assert "what took the packets is not known: srv1 was not reached any more to ask it" in told


def test_the_checks_of_the_other_host_are_asked(made: Wire) -> None:
    told = _losing(made, "srv2", (GatherThere, "cables"), "verify", code=1)
    assert "across fails for a reason that is not known" in told
    assert "pass within" in told
    assert "as its file says, but for srv2: not reached" in told


def test_what_was_known_before_is_told(made: Wire) -> None:
    told = _losing(made, "srv1", (GatherThere, "events"), "verify", "across", code=1)
    assert "the firewall of b drops it" in told
    assert "as its file says, but for srv1: not reached" in told


def test_what_is_on_a_host_is_not_known_to_status_and_graph(made: Wire) -> None:
    told = _losing(made, "srv2", (Sessions, "do"), "status", code=0)
    assert "not reached on srv2: b\n  the session has ended" in told
    assert "asked is as its file says, but for srv2: not reached" in told
    told = _losing(made, "srv2", (Sessions, "do"), "graph", code=0)
    assert "is not known: srv2 is not reached" in told
    assert "srv2 cannot be reached" in _losing(made, "srv2", (Sessions, "do"), "plan", "asked.yaml", code=5)
