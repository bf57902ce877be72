"""What happens in a lab, told as it happens: by whom ever, through `down` and `up`, until it is ended."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.e2e.labs import PAIR, tunnel
from tests.e2e.world import DEADLINE, World, eventually


class Events:
    """The lines of a `labctl events -f json` that runs."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        self.process = process
        self._pipe = process.stdout.fileno()
        self._text = ""
        self.lines: list[dict[str, Any]] = []

    def expect(self, event: str, change: str, **keys: object) -> dict[str, Any]:
        """Wait for an event with these keys, and return it; those before it are passed over."""
        wanted = {"event": event, "change": change, **keys}
        passed: list[dict[str, Any]] = []
        deadline = time.monotonic() + DEADLINE
        while True:
            while self.lines:
                line = self.lines.pop(0)
                if wanted.items() <= line.items():
                    return line
                passed.append(line)
            left = deadline - time.monotonic()
            assert left > 0 and self._read(left), f"{wanted} was not told, but {passed}"

    def _read(self, patience: float) -> bool:
        if not select.select([self._pipe], [], [], patience)[0]:
            return False
        part = os.read(self._pipe, 1 << 16).decode()
        *whole, self._text = (self._text + part).split("\n")
        try:
            self.lines += map(json.loads, whole)
        except ValueError:
            raise AssertionError(self.ended(part)) from None
        assert part, self.ended("")
        return True

    def ended(self, said: str) -> str:
        """Return what a command that should go on said at its end."""
        out, errors = self.process.communicate(timeout=DEADLINE)
        return f"it ended with {self.process.returncode}: {said}{out}{errors}"


@contextmanager
def events(here: World, *words: str) -> Iterator[Events]:
    """Events that are told from now on; they end by Ctrl-C, and without a word on standard error."""
    with here.start_labctl(
        *("events", "-f", "json", *words),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    ) as process:
        told = Events(process)
        told.expect("lab", "up")
        yield told
        os.killpg(process.pid, signal.SIGINT)
        _, said = process.communicate(timeout=DEADLINE)
        assert (process.returncode, said) == (0, "")


def inside(here: World, namespace: str, command: str) -> None:
    here.labctl("exec", namespace, "--", *command.split())


def test_what_is_done_by_hand_is_told(here: World) -> None:
    here.labctl("up", here.file("pair.yaml", PAIR))
    with events(here) as told:
        inside(here, "left", "ip link set eth0 mtu 1400")
        told.expect("link", "mtu", place="left:eth0", before="1500", after="1400")
        told.expect("drift", "appeared", subject="left:eth0", difference="MTU 1500", reason="is 1400")
        inside(here, "left", "ip address add 192.0.2.9/32 dev eth0")
        told.expect("address", "added", place="left:eth0", address="192.0.2.9/32")
        inside(here, "left", "ip route add 198.51.100.0/24 via 192.0.2.2")
        told.expect("route", "added", place="left", route="198.51.100.0/24 via 192.0.2.2 dev eth0")
        inside(here, "left", "ip rule add priority 9 to 198.51.100.0/24 table 9")
        told.expect("rule", "added", place="left", priority=9, rule="from all to 198.51.100.0/24 lookup 9")
        inside(here, "right", "ip link set eth0 down")
        told.expect("link", "no-carrier", place="left:eth0")
        here.labctl("up", here.file("pair.yaml", PAIR))
        told.expect("rule", "removed", place="left", priority=9)
        told.expect("drift", "gone", subject="left:eth0", difference="MTU 1500")
        inside(here, "left", "ip link del eth0")
        told.expect("link", "removed", place="left:eth0")
    here.labctl("down")


def test_an_engine_is_followed_through_its_lives(here: World) -> None:
    file = here.file("tunnel.yaml", tunnel())
    here.labctl("up", file)
    pid = here.json("status")["engines"][0]["pid"]
    with events(here) as told:
        here.labctl("impair", "siteA:tun0", "--loss", "100%")
        told.expect("impairment", "changed", place="siteA:tun0", direction="out", before="none", after="loss 100%")
        here.labctl("exec", "siteA", "--", "ping", "-c", "2", "-i", "0.01", "-W", "0.1", "10.0.102.1", code=1)
        assert told.expect("drop", "counted", place="siteA:tun0", reason="out_lost")["packets"] <= 2
        inside(here, "siteA", f"kill -STOP {pid}")
        told.expect("engine", "stopped", place="siteA:tun0", pid=pid)
        inside(here, "siteA", f"kill -CONT {pid}")
        told.expect("engine", "continued", place="siteA:tun0", pid=pid)
        inside(here, "siteA", f"kill -KILL {pid}")
        began = time.time()
        at = told.expect("engine", "ended", place="siteA:tun0", pid=pid)["time"]
        assert at.endswith("Z") and abs(time.time() - began) < DEADLINE
        here.labctl("up", file)
        assert told.expect("engine", "started", place="siteA:tun0")["pid"] != pid
    here.labctl("down")


def test_a_program_is_followed_through_its_lives(here: World) -> None:
    program = "    programs: [{name: x, command: sleep 1000, restart: always}]\n"
    file = here.file("pair.yaml", PAIR.replace("  right:\n", f"{program}  right:\n"))
    here.labctl("up", file)
    with events(here) as told:

        def end(number: signal.Signals) -> None:
            os.kill(next(pid for pid, title in here.processes() if title.startswith("sleep 1000")), number)

        end(signal.SIGKILL)
        told.expect("program", "ended", place="left:x", how="ended by SIGKILL")
        told.expect("program", "started", place="left:x")
        end(signal.SIGSTOP)
        told.expect("program", "stopped", place="left:x")
        end(signal.SIGCONT)
        told.expect("program", "continued", place="left:x")
        here.labctl("restart", "left:x")
        told.expect("program", "ended", place="left:x")
        told.expect("program", "started", place="left:x")
        here.labctl("up", here.file("pair.yaml", PAIR))
        told.expect("program", "removed", place="left:x")
    here.labctl("down")


def test_it_goes_on_through_down_and_up(here: World) -> None:
    """Without root the environment ends with the lab, and whoever was inside to look at it."""
    file = here.file("pair.yaml", PAIR)
    here.labctl("up", file)
    with events(here) as told:
        for _ in range(2):
            here.labctl("down")
            told.expect("lab", "down")
            here.labctl("up", file)
            told.expect("lab", "up", mode=here.mode)
            inside(here, "left", "ip link set eth0 mtu 1400")
            told.expect("link", "mtu", place="left:eth0", after="1400")
    here.labctl("down")


def test_a_namespace_that_is_made_again_is_followed_again(as_root: World) -> None:
    file = as_root.file("pair.yaml", PAIR)
    as_root.labctl("up", file)
    with events(as_root) as told:
        as_root.run("ip", "netns", "delete", "left")
        told.expect("namespace", "removed", place="left")
        as_root.labctl("up", file)
        told.expect("namespace", "added", place="left")
        inside(as_root, "left", "ip link set eth0 mtu 1400")
        told.expect("link", "mtu", place="left:eth0", after="1400")
    as_root.labctl("down")


def test_a_check_that_fails_is_told_and_one_that_passes_again(here: World) -> None:
    file = here.file("pair.yaml", PAIR)
    here.labctl("up", file)
    with events(here, "--verify") as told:
        told.expect("check", "passed", name="across")
        inside(here, "right", "ip link set eth0 down")
        told.expect("check", "failed", name="across")
        here.labctl("up", file)
        told.expect("check", "passed", name="across")
    here.labctl("down")


def test_a_reader_who_has_gone_ends_it_though_nothing_happens(here: World) -> None:
    here.labctl("up", here.file("pair.yaml", PAIR))
    process = here.start_labctl("events", stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout and "pair is up" in process.stdout.readline()
    process.stdout.close()
    assert process.stderr and process.stderr.read() == ""
    assert process.wait(DEADLINE) == 0
    here.labctl("down")


def test_sigterm_ends_it_while_there_is_no_lab(here: World) -> None:
    here.labctl("up", here.file("pair.yaml", PAIR))
    process = here.start_labctl("events", stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout and "pair is up" in process.stdout.readline()
    here.labctl("down")
    while "pair is down" not in (line := process.stdout.readline()):
        assert line
    process.terminate()
    rest, said = process.communicate(timeout=DEADLINE)
    assert (process.returncode, rest, said) == (0, "", "")


def test_a_lab_that_is_not_there_is_no_lab_to_wait_for(as_user: World) -> None:
    assert "no lab is running" in as_user.labctl("events", code=2).stderr


def test_whoever_looks_ends_with_a_command_that_is_killed(here: World) -> None:
    here.labctl("up", here.file("pair.yaml", PAIR))
    before = {pid for pid, _ in here.processes()}
    process = here.start_labctl("events", "--verify", stdout=subprocess.PIPE)
    assert process.stdout and any("across passed" in line for line in process.stdout)
    process.kill()
    process.wait()
    eventually(lambda: {pid for pid, _ in here.processes()} <= before, "they have ended")
    here.labctl("down")


def test_what_comes_too_fast_is_said_and_what_is_there_then_is_told(here: World) -> None:
    here.labctl("up", here.file("pair.yaml", PAIR))
    before = {pid for pid, _ in here.processes()}
    changes = [f"link set dev eth0 mtu {1300 + number % 2}\n" for number in range(3000)]
    many = here.file("many", "".join([*changes, "link set dev eth0 mtu 1400\n"]))
    with events(here) as told:
        looking = {pid for pid, _ in here.processes()} - before - {told.process.pid}
        for pid in looking:
            os.kill(pid, signal.SIGSTOP)  # as on a machine that is too busy for it
        here.labctl("exec", "left", "--", "ip", "-batch", many)
        for pid in looking:
            os.kill(pid, signal.SIGCONT)
        told.expect("missed", "overrun", place="left")
        told.expect("link", "mtu", place="left:eth0", after="1400")
    here.labctl("down")
