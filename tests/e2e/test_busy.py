"""Healthy labs on a machine that is busy: what is late there is not lost, and what is lost is not blamed on it."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.e2e.labs import tunnel
from tests.e2e.world import World, eventually

LATE = """\
  - name: answered
    ping: {from: siteA, to: 10.0.102.1, count: 1, timeout: 0.8}
    crosses: ["siteA:tun0", "siteB:tun1"]
  - name: too-late
    ping: {from: siteA, to: 10.0.102.1, count: 1, timeout: 0.8}
    expect: no-reply
"""


@pytest.mark.parametrize(("check", "delay"), [("answered", "0.6s"), ("too-late", "2s")])
def test_a_reply_counts_by_when_the_kernel_saw_it(as_user: World, check: str, delay: str) -> None:
    as_user.labctl("up", as_user.file("late.yaml", tunnel(checks=LATE)))
    as_user.labctl("impair", "siteA:tun0", "--delay", delay)
    verify = as_user.start_labctl(
        "verify", check, start_new_session=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    eventually(lambda: packets(as_user, "tx") == 1, "the request is sent")
    os.killpg(verify.pid, signal.SIGSTOP)
    # Replies to others, which every raw socket is shown, and which have no part in it.
    as_user.labctl("exec", "siteA", "--", *["ping", "-q", "-c", "80", "-i", "0.002", "-s", "1400", "10.0.101.1"])
    eventually(lambda: packets(as_user, "rx") == 1, "the reply is there")
    time.sleep(0.8)  # now the time-out is over, too
    os.killpg(verify.pid, signal.SIGCONT)
    told, _ = verify.communicate(timeout=60)
    assert verify.returncode == 0, told
    as_user.labctl("down")


def packets(here: World, way: str) -> int:
    """How many packets tun0 has sent or received."""
    counters = here.json("status")["namespaces"]["siteA"]["interfaces"]["tun0"]["counters"]
    return int(counters[f"{way}_packets"])


SHORT = """\
  - name: ping
    ping: {from: siteA, to: 10.0.102.1, timeout: 0.05}
    crosses: ["siteA:tun0", "siteB:tun1"]
  - name: tcp
    nc: {from: siteA, to: siteB, address: 10.0.102.1, port: 8000, reply: "yes", timeout: 0.05}
    crosses: ["siteA:tun0", "siteB:tun1"]
  - name: udp
    nc: {from: siteA, to: siteB, address: 10.0.102.1, port: 8000, protocol: udp, reply: "yes", timeout: 0.05}
    crosses: ["siteA:tun0", "siteB:tun1"]
  - name: silence
    ping: {from: siteA, to: 10.0.102.9, timeout: 0.05}
    expect: no-reply
    crosses: ["siteA:tun0", "siteB:tun1"]
"""
LOOPS = 32


@contextmanager
def starved(pids: list[int]) -> Iterator[None]:
    """Have processes share one CPU with many that never sleep: they wait 0.1 s for each turn."""
    cpu = min(os.sched_getaffinity(0))
    for pid in pids:
        os.sched_setaffinity(pid, {cpu})
    # Each in a session of its own: what is in one counts as one (sched(7), autogroup).
    spin = ["timeout", "60", "sh", "-c", "while :; do :; done"]
    loops = [
        subprocess.Popen(spin, start_new_session=True, preexec_fn=lambda: os.sched_setaffinity(0, {cpu}))
        for _ in range(LOOPS)
    ]
    try:
        yield
    finally:
        for loop in loops:
            loop.terminate()  # which ends the shell, too
        for loop in loops:
            loop.wait()


def test_engines_that_hardly_get_a_cpu_fail_no_check(as_user: World) -> None:
    as_user.labctl("up", as_user.file("short.yaml", tunnel(checks=SHORT)))
    engines = as_user.processes_titled("ttun tun")
    assert len(engines) == 2
    with starved(engines):
        verdict = as_user.json("verify", code=None)
    assert [check["name"] for check in verdict["checks"] if not check["passed"]] == [], verdict
    as_user.labctl("down")
