"""What it costs a TCP stream through the tunnel of two-site that the lab is looked at.

One stream runs all the time, and what arrives is counted at the far TUN device: alone, and beside each observer in
turn, in interleaved rounds. Beside that the CPU time is told that the observer uses itself, and the part of the
stream's own that goes to taps: on a machine that is not idle these two are sure, and the first is not.

A trace of something else is idle to the stream, and so is a capture whose filter lets nothing of it pass; a capture of
one end of the cable writes every frame. `watch` draws on a pseudo-terminal, and `watch --web` has one browser.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import IO

from benchmarks import cpu
from benchmarks.report import Figure
from benchmarks.world import REPOSITORY, Failed, wait_for

LABCTL = (sys.executable, "-m", "labctl")
FAR_END, ARRIVED = "siteB", "/sys/class/net/tun1/statistics/rx_bytes"
ADDRESS = "10.0.102.1"

NOTHING = "nothing"
ON_A_TERMINAL = (sys.executable, "-c", "import pty, sys; pty.spawn(sys.argv[1:])")
OBSERVERS: Mapping[str, tuple[str, ...]] = {
    NOTHING: (),
    "idle-trace": (*LABCTL, "trace", "siteA", "--", "sh", "-c", "echo ready >&2; exec sleep 3600"),
    "idle-capture": (*LABCTL, "capture", "--filter", "icmp"),
    "capture": (*LABCTL, "capture", "siteA:wan0", "-w", "/dev/null"),
    "events": (*LABCTL, "events"),
    "watch": (*ON_A_TERMINAL, *LABCTL, "watch"),
    "watch-packets": (*ON_A_TERMINAL, *LABCTL, "watch", "--packets"),
    "watch-web": (sys.executable, "-m", "benchmarks.viewer"),
}
"""What looks on; each writes something when it does."""

STARTED = 2.0
"""Seconds in which an observer has loaded what it needs, and has looked at the lab for the first time."""


def measure(rounds: int, seconds: float, absent: dict[str, str]) -> list[Figure]:
    """Gbit/s that arrive beside each observer, its own CPU time, and that of its taps, in interleaved rounds."""
    arriving = Figure("observed-tcp", "Gbit/s", "higher")
    own = Figure("observer-cpu", "% of a CPU", "lower")
    taps = Figure("observer-taps", "% of the stream's CPU", "lower")
    try:
        with _stream((rounds + 1) * len(OBSERVERS) * (2 * seconds + 5)) as stream:
            for _ in range(rounds):
                for name, words in OBSERVERS.items():
                    with _looking_on(words) as observer:
                        before, began = cpu.used(observer), time.monotonic()
                        arriving.values.setdefault(name, []).append(_arriving(seconds))
                        share = 100 * (cpu.used(observer) - before) / (time.monotonic() - began)
                        own.values.setdefault(name, []).append(share)
                        if "perf" not in absent:
                            _sample(taps.values.setdefault(name, []), stream, seconds, absent)
    except (Failed, OSError, subprocess.CalledProcessError) as error:
        absent["observers"] = str(error)
    return [arriving, own, taps]


def _sample(values: list[float], stream: set[int], seconds: float, absent: dict[str, str]) -> None:
    try:
        values.append(cpu.share_of_taps(stream, seconds))
    except Failed as error:
        absent["perf"] = str(error)


@contextmanager
def _stream(seconds: float) -> Iterator[set[int]]:
    """Yield the processes that carry a TCP stream through the tunnel of a lab. Raise Failed."""
    _labctl("up", "two-site")
    try:
        server = _start([*LABCTL, "exec", FAR_END, "--", "iperf3", "--server", "--one-off"])
        wait_for(lambda: ":5201" in _labctl("exec", FAR_END, "--", "ss", "-ltn"), "iperf3")
        client = _start(
            [*LABCTL, "exec", "siteA", "--", "iperf3", "--client", ADDRESS, "--time", str(int(seconds) + 1)]
        )
        try:
            wait_for(lambda: _arrived() > 1 << 24, "the stream")
            engines = {engine["pid"] for engine in json.loads(_labctl("status", "-f", "json"))["engines"]}
            yield engines | cpu.with_descendants(client.pid) | cpu.with_descendants(server.pid)
        finally:
            for process in (client, server):
                process.terminate()
                process.wait()
    finally:
        _labctl("down")


@contextmanager
def _looking_on(words: tuple[str, ...]) -> Iterator[set[int]]:
    """Yield the processes of an observer that looks at the lab."""
    if not words:
        yield set()
        return
    with tempfile.TemporaryFile() as said:
        observer = _start(words, said)
        wait_for(lambda: os.fstat(said.fileno()).st_size > 0, shlex.join(words))
        time.sleep(STARTED)
        if observer.poll() is not None:
            raise Failed(f"{shlex.join(words)} has ended")
        yield cpu.with_descendants(observer.pid)
        observer.terminate()
        observer.wait()


def _arriving(seconds: float) -> float:
    """Return the Gbit/s that arrive while so many seconds pass."""
    before, began = _arrived(), time.monotonic()
    time.sleep(seconds)
    return (_arrived() - before) * 8 / (time.monotonic() - began) / 1e9


def _arrived() -> int:
    return int(subprocess.check_output(["ip", "netns", "exec", FAR_END, "cat", ARRIVED], text=True))


def _labctl(*words: str) -> str:
    return subprocess.check_output([*LABCTL, *words], text=True, cwd=REPOSITORY)


def _start(words: Sequence[str], output: IO[bytes] | int = subprocess.DEVNULL) -> subprocess.Popen[bytes]:
    return subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd=REPOSITORY)
