"""Two sites with a wire between them, for each contender its own.

site a  wan0 192.0.2.1 ------ 192.0.2.2 wan0  site b
        tun0 10.9.0.1                10.9.0.2 tun0
"""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Literal, NamedTuple

Site = Literal["a", "b"]

INSIDE = "_LABCTL_BENCHMARK"
REPOSITORY = Path(__file__).parents[1]


class Failed(Exception):
    """A program of a contender or a load did not do what it is for."""


class Ends(NamedTuple):
    """The addresses of both sites."""

    a: str
    b: str


WIRE = Ends("192.0.2.1", "192.0.2.2")
INNER = Ends("10.9.0.1", "10.9.0.2")
INNER6 = Ends("fd00:9::1", "fd00:9::2")


def enter(command: list[str]) -> int:
    """Run the command in mount and network namespaces of its own, as root or as one's own root."""
    own = ["--user", "--map-root-user"] if os.geteuid() else []
    # Named namespaces are mounts below /run/netns; a private /run keeps them, and sockets, to ourselves.
    # The page of `watch --web` is served on the loopback interface.
    script = 'mount -t tmpfs tmpfs /run && mkdir /run/netns && ip link set lo up && exec "$@"'
    # In a PID namespace of its own all that was started ends with the benchmark, whatever becomes of it.
    own += ["--pid", "--fork", "--kill-child", "--mount-proc"]
    words = ["unshare", *own, "--mount", "--net", "--propagation", "private", "sh", "-c", script, "sh"]
    return subprocess.run([*words, *command], env={**os.environ, INSIDE: "1"}, check=False).returncode


class Pair:
    """Two namespaces, wired."""

    def __init__(self, name: str, wire_mtu: int, tunnel_mtu: int = 1400) -> None:
        self.name = name
        self.tunnel_mtu = tunnel_mtu
        self._processes: list[subprocess.Popen[str]] = []
        self._names = {"a": f"{name}-a", "b": f"{name}-b"}
        for site in self._names.values():
            _run("ip", "netns", "add", site)
        self.ip("a", f"link add wan0 mtu {wire_mtu} type veth peer name wan0 mtu {wire_mtu} netns {self._names['b']}")
        for site, address, inner in (("a", WIRE.a, "1"), ("b", WIRE.b, "2")):
            self.ip(site, "link set lo up", "link set wan0 up", f"addr add {address}/30 dev wan0")
            self.ip(site, f"addr add fd00:8::{inner}/64 dev wan0 nodad")
            # Nothing that the contenders do not send themselves is to cross a tunnel that is not up yet.
            for family in ("all", "default"):
                self.write(site, f"/proc/sys/net/ipv6/conf/{family}/router_solicitations", "0")

    def command(self, site: str, *words: str) -> list[str]:
        return ["ip", "netns", "exec", self._names[site], *words]

    def ip(self, site: str, *lines: str) -> None:
        for line in lines:
            _run("ip", "-netns", self._names[site], *line.split())

    def write(self, site: str, path: str, text: str) -> None:
        self.run(site, "sh", "-c", f"echo {text} > {path}")

    def run(self, site: str, *words: str, seconds: float = 60) -> str:
        return _run(*self.command(site, *words), seconds=seconds)

    def start(self, site: str, *words: str, **environment: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            self.command(site, *words),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            text=True,
            cwd=REPOSITORY,
            env={**os.environ, **environment},
        )
        self._processes.append(process)
        return process

    @property
    def running(self) -> list[int]:
        """The PIDs of what was started and has not ended."""
        return [process.pid for process in self._processes if process.poll() is None]

    def address_tunnel(self) -> None:
        """Wait for `tun0` at both sites and give it its addresses."""
        for site in self._names:
            wait_for(lambda site=site: self._has_tunnel(site), f"tun0 of {self.name}")  # type: ignore[misc]
        for site, v4, v6 in (("a", INNER.a, INNER6.a), ("b", INNER.b, INNER6.b)):
            self.ip(site, f"link set tun0 mtu {self.tunnel_mtu} up", f"addr add {v4}/24 dev tun0")
            self.ip(site, f"addr add {v6}/64 dev tun0 nodad")

    def _has_tunnel(self, site: str) -> bool:
        with suppress(Failed):
            self.run(site, "ip", "link", "show", "tun0")
            return True
        return False

    def reaches(self, address: str) -> bool:
        with suppress(Failed):
            self.run("a", "ping", "-n", "-c", "1", "-W", "0.5", address)
            return True
        return False

    def close(self) -> None:
        for process in self._processes:
            process.kill()
            process.wait()
        for name in self._names.values():
            _run("ip", "netns", "delete", name)


def wait_for(condition: Callable[[], bool], what: str, seconds: float = 10) -> None:
    """Wait until the condition holds. Raises Failed."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise Failed(f"waited {seconds:.0f} s for {what}")
        time.sleep(0.02)


def _run(*words: str, seconds: float = 60) -> str:
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=seconds, check=False, cwd=REPOSITORY)
    except subprocess.TimeoutExpired as error:
        raise Failed(f"{' '.join(words)}: not done after {seconds:.0f} s") from error
    if done.returncode:
        raise Failed(f"{' '.join(words)}: {(done.stderr or done.stdout).strip()}")
    return done.stdout
