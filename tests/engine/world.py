"""A small world for kernel tests: network namespaces without a name, which die with one process.

                veth 192.0.2.0/30
    siteA  wan0 ----------------- wan0  siteB
      |   .1                        .2   |
    tun0 10.0.101.1/24     10.0.102.1/24 tun1

A namespace is held by a `cat` whose standard input is ours: whatever becomes of the test process, the
pipe closes, `cat` ends, and the kernel removes the namespace with all that is in it. Nothing is made
in the machine's own namespace.
"""

from __future__ import annotations

import ctypes
import os
import select
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from labctl.engine.counters import DROPS_IN, DROPS_OUT, Counters
from tests.patience import PATIENCE

T = TypeVar("T")

REPOSITORY = Path(__file__).parents[2]
CLONE_NEWNET = 0x40000000
PROMPT_PING = ("-n", "-i", "0.02", "-W", "2")


def wait_for(condition: Callable[[], T | None], what: str, seconds: float = PATIENCE) -> T:
    """Return the condition's first true value; fail when there was none in time."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, f"waited {seconds} s in vain: {what}"
        time.sleep(0.005)
    return value


def status(pid: int) -> dict[str, str]:
    """/proc/PID/status as a dictionary; empty once the process is gone."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return {}
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


class Namespace:
    """A network namespace and the processes that the test started in it."""

    def __init__(self, *unshare: str) -> None:
        self.started: list[subprocess.Popen[str]] = []
        flags = unshare or ("--net",)
        self._enter = [flag.replace("--map-root-user", "--preserve-credentials") for flag in flags]
        command = ["unshare", *flags, "cat"]
        self._holder = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self._holder.stdin and self._holder.stdout
        # What comes back through `cat` proves that it runs, thus that the namespace is there.
        self._holder.stdin.write("there?\n")
        self._holder.stdin.flush()
        assert self._holder.stdout.readline() == "there?\n"
        # Router solicitations and their like would spoil exact counts; tests of IPv6 switch it on.
        self.shell("echo 1 > /proc/sys/net/ipv6/conf/default/disable_ipv6; ip link set lo up")

    @property
    def pid(self) -> int:
        return self._holder.pid

    def command(self, *words: str) -> list[str]:
        return ["nsenter", "--target", str(self.pid), *self._enter, "--", *words]

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run to the end and give the result, whatever it is."""
        return subprocess.run(
            self.command(*words), capture_output=True, text=True, timeout=10, cwd=REPOSITORY, check=False
        )

    def shell(self, script: str) -> str:
        done = self.run("sh", "-ec", script)
        assert done.returncode == 0, f"{script}: {done.stderr}"
        return done.stdout

    def ip(self, *lines: str) -> None:
        """Perform lines of ip(8) in one process, and wait until IPv6 addresses that are added with `nodad` are usable.

        The kernel makes their routes in table local a while later (addrconf_dad_work() in net/ipv6/addrconf.c).
        """
        done = subprocess.run(
            self.command("ip", "-batch", "-"),
            input="\n".join(lines),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        for address in (line.split()[2].partition("/")[0] for line in lines if line.endswith(" nodad")):
            here = ("ip", "-6", "route", "show", "table", "local", address)
            wait_for(lambda here=here: self.run(*here).stdout, f"the local route of {address}")  # type: ignore[misc]

    def start(self, *words: str) -> subprocess.Popen[str]:
        """Start a process, which ends with the namespace at the latest."""
        process = subprocess.Popen(
            self.command(*words),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=REPOSITORY,
            # Buffered as a user has it: a line must come at once all the same.
            env={name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"},
        )
        self.started.append(process)
        return process

    def ttun(self, *words: str | Path | int) -> subprocess.Popen[str]:
        """Start the command and wait until it forwards, which it does once its rights are gone."""
        engine = self.start(sys.executable, "-m", "labctl.engine.ttun", *map(str, words))
        wait_until_unprivileged(engine)
        return engine

    def ping(self, address: str, count: int = 3, *options: str) -> bool:
        """True if every request was answered."""
        done = self.run("ping", *PROMPT_PING, "-c", str(count), *options, address)
        return f" {count} received" in done.stdout

    def call(self, function: Callable[[], T]) -> T:
        """Call in a thread that has entered the namespace: what it opens belongs there."""

        def entered() -> T:
            with open(f"/proc/{self.pid}/ns/net") as namespace:
                libc = ctypes.CDLL(None, use_errno=True)
                assert libc.setns(namespace.fileno(), CLONE_NEWNET) == 0, os.strerror(ctypes.get_errno())
            return function()

        with ThreadPoolExecutor(1) as thread:
            return thread.submit(entered).result()

    def close(self) -> None:
        for process in (*self.started, self._holder):
            if process.poll() is None:
                process.kill()
            process.communicate(timeout=5)


def wait_until_unprivileged(engine: subprocess.Popen[str]) -> None:
    def unprivileged() -> bool:
        if engine.poll() is not None:
            raise AssertionError(f"ended with {engine.returncode}: {engine.communicate()[1]}")
        return status(engine.pid).get("NoNewPrivs") == "1"

    wait_for(unprivileged, "the engine to give up its rights")


def next_line(process: subprocess.Popen[str]) -> str:
    """The next line that a running process says on its standard output."""
    assert process.stdout
    output = process.stdout
    wait_for(lambda: select.select([output], [], [], 0)[0], "a line of output")
    return output.readline()


def balanced(now: dict[str, int]) -> bool:
    """Whether every packet is accounted for."""
    return now["tun_read_packets"] == now["udp_sent_packets"] + sum(now[name] for name in DROPS_OUT) and now[
        "udp_received_packets"
    ] == now["tun_written_packets"] + sum(now[name] for name in DROPS_IN)


def balance(counters: Counters) -> dict[str, int]:
    """The counters, after making sure that every packet is accounted for."""
    now = counters.snapshot()
    assert balanced(now), now
    return now


def settled(counters: Counters, **expected: int) -> dict[str, int]:
    """Wait for these numbers, and for the others to balance: a packet may still be on its way."""

    def there() -> dict[str, int] | None:
        now = counters.snapshot()
        return now if balanced(now) and all(now[name] == n for name, n in expected.items()) else None

    return wait_for(there, f"{expected}; there was {counters.snapshot()}")
