"""A reader that takes nothing for a while: nothing grows meanwhile, on no machine, and what was dropped is told."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from labctl.api.agent import AHEAD
from tests.e2e.world import eventually
from tests.hosts.conftest import Wire
from tests.hosts.machines import Machine

FILE = """
name: flood
hosts:
  srv1:
  srv2: {ports: 47000-47009}
namespaces:
  a:
    host: srv1
    interfaces:
      v: {kind: veth, peer: "b:v", addresses: [10.2.0.1/24]}
    programs:
      - {name: talker, command: "yes 0123456789012345678901234567890123456789"}
  b:
    host: srv2
    interfaces:
      v: {kind: veth, peer: "a:v", addresses: [10.2.0.2/24]}
"""
GROWTH = 6 << 20
"""Bytes by which a process may grow that does some work for the first time."""

SENT = 60_000
FLOOD = f"""
import socket
sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for _ in range({SENT}):
    sender.sendto(bytes(1000), ("10.2.0.2", 5))
"""


def test_a_reader_of_logs_that_stops(wire: Wire) -> None:
    near, srv1 = wire.near, wire.srv1
    near.labctl("up", near.file("flood.yaml", FILE))
    with near.start_labctl("logs", "-F", "a:talker", stdout=subprocess.PIPE, stderr=subprocess.PIPE) as it:
        assert it.stdout is not None and it.stdout.readline()
        (agent,), (*_, talker) = srv1.processes_with("mitogen:"), srv1.processes_with("yes 0123456789")
        before, written, sizes = _written(srv1, agent), _written(srv1, talker), _sizes(wire)
        eventually(lambda: _written(srv1, talker) - written > 48 << 20, "the log begins anew many times")
        assert _written(srv1, agent) - before < 4 * AHEAD
        assert _grown(sizes, _sizes(wire)) == {}
        near.interrupt(it)
        it.communicate()
    assert it.returncode == 130
    near.labctl("down")


def test_a_reader_of_a_capture_that_stops(wire: Wire) -> None:
    """What the kernel of the host keeps is shown when the reader goes on, and what it could not keep is counted."""
    near = wire.near
    near.labctl("up", near.file("flood.yaml", FILE.replace("    programs:", "").replace("      - {", "#")))
    # While the address of a neighbour is asked for, its kernel keeps only some of what is for it (arp(7), unres_qlen).
    near.labctl("exec", "a", "--", "ping", "-c", "1", "-W", "5", "10.2.0.2")
    words = ("capture", "a:v", "--filter", "udp port 5")
    with near.start_labctl(*words, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as it:
        assert it.stdout is not None and it.stderr is not None and it.stderr.readline().startswith("watching a:v")
        flood = FLOOD.replace(f"{SENT}", "100")
        near.labctl("exec", "a", "--", "python3", "-c", flood)
        sizes = _sizes(wire)
        near.labctl("exec", "a", "--", "python3", "-c", FLOOD)
        assert _grown(sizes, _sizes(wire)) == {}
        near.interrupt(it)
        out, err = it.communicate()
    assert it.returncode == 0, err
    (missed,) = re.findall(r"(\d+) packets came faster than they could be shown, and are missing", err)
    assert int(missed) + len(out.splitlines()) == SENT + 100
    near.labctl("down")


def _written(machine: Machine, pid: str) -> int:
    """Return how many bytes a process has written, to whatever (proc_pid_io(5))."""
    return int(re.findall(r"wchar: (\d+)", _proc(machine, pid, "io").read_text())[0])


def _sizes(wire: Wire) -> dict[tuple[str, str], int]:
    """Return the memory of the processes of all machines that are of labctl, in bytes, by the machine and the PID."""
    return {
        (machine.name, pid): int(re.findall(r"VmRSS:\s+(\d+) kB", status)[0]) << 10
        for machine in wire
        for words in ("labctl", "mitogen:", "tests: ")
        for pid in machine.processes_with(words)
        if "VmRSS" in (status := _proc(machine, pid, "status").read_text())
    }


def _grown(before: dict[tuple[str, str], int], after: dict[tuple[str, str], int]) -> dict[tuple[str, str], int]:
    """Return which of them have grown more than they may, by how many bytes."""
    grown = {which: size - before[which] for which, size in after.items() if which in before}
    return {which: size for which, size in grown.items() if size > GROWTH}


def _proc(machine: Machine, pid: str, name: str) -> Path:
    return Path(f"/proc/{machine.pid}/root/proc/{pid}/{name}")
