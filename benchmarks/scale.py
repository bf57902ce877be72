"""How long whole labs take: `up` and `down` as commands, against the exported script and against Mininet.

labctl starts the engines and waits until they forward; the script is run without its engines, so it makes the
namespaces and devices alone; Mininet makes as many hosts on one bridge and takes them down again. The hubs, which have
two engines for each site but one, come last: the kernel takes seconds to get rid of a thousand of them.
The kernel takes namespaces apart long after they are gone for their user, and makes no new one meanwhile: each
measurement begins when it has come to rest.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.labs import chain, hub
from benchmarks.report import Figure
from benchmarks.world import REPOSITORY, wait_for

LABCTL = (sys.executable, "-m", "labctl")
SITES = (50, 100, 500)
HUBS = (100, 500)
REST = 0.05
"""Seconds that a new namespace takes at most when the kernel has nothing else to do."""


def measure(rounds: int, absent: dict[str, str]) -> list[Figure]:
    """Figures of whole labs, in interleaved rounds."""
    directory = Path(tempfile.mkdtemp())
    chains = (f"{verb}-{size}" for size in ("two-site", *SITES) for verb in ("up", "down"))
    names = [*chains, "up-down-50", "up-down-100", *(f"up-hub-{sites}" for sites in HUBS)]
    figures = {name: Figure(name, "s", "lower") for name in names}
    memory = Figure("site-memory", "MB", "lower")
    if not shutil.which("mn") or not shutil.which("brctl"):
        absent["mininet"] = "not installed: mn and brctl (Debian: mininet, bridge-utils)"
    try:
        for _ in range(rounds):
            for name, contender, seconds in _round(directory, memory, "mininet" not in absent):
                figures[name].values.setdefault(contender, []).append(seconds)
        for _ in range(rounds):
            for name, seconds in _hubs(directory):
                figures[name].values.setdefault("labctl", []).append(seconds)
    finally:
        shutil.rmtree(directory)
    return [*figures.values(), memory]


def _round(directory: Path, memory: Figure, mininet: bool) -> Iterator[tuple[str, str, float]]:
    for sites in (0, *SITES):
        size = str(sites) if sites else "two-site"
        file = directory / f"{size}.yaml"
        text = chain(sites) if sites else (REPOSITORY / "topologies" / "two-site.yaml").read_text()
        file.write_text(text)
        before = _free()
        up = _timed(*LABCTL, "up", str(file))
        if sites == SITES[-1]:
            memory.values.setdefault("labctl", []).append((before - _free()) / sites)
        yield f"up-{size}", "labctl", up
        down = _timed(*LABCTL, "down", rest=False)
        yield f"down-{size}", "labctl", down
        if sites == SITES[-1]:
            _rest_of(sites)
            continue
        script = directory / "lab.sh"
        exported = subprocess.check_output([*LABCTL, "export", str(file)], text=True, cwd=REPOSITORY)
        script.write_text("".join(line for line in exported.splitlines(True) if " ttun " not in line))
        made = _timed("sh", str(script))
        yield f"up-{size}", "script", made
        gone = _timed("sh", str(script), "down", rest=False)
        yield f"down-{size}", "script", gone
        if sites:
            yield f"up-down-{size}", "labctl", up + down
            yield f"up-down-{size}", "script", made + gone
            if mininet:
                words = (
                    "mn",
                    "--topo",
                    f"single,{sites}",
                    "--switch",
                    "lxbr",
                    "--controller",
                    "none",
                    "--test",
                    "none",
                )
                yield f"up-down-{size}", "mininet", _timed(*words)


def _hubs(directory: Path) -> Iterator[tuple[str, float]]:
    for sites in HUBS:
        file = directory / "hub.yaml"
        file.write_text(hub(sites))
        yield f"up-hub-{sites}", _timed(*LABCTL, "up", str(file))
        _timed(*LABCTL, "down", rest=False)
        _rest_of(sites)


def _rest_of(sites: int) -> None:
    """Wait until the kernel has certainly taken a large lab apart: it pauses at that, for longer than a look."""
    time.sleep(sites / 40)


def _timed(*words: str, rest: bool = True) -> float:
    """Seconds that a whole command takes."""
    if rest:
        wait_for(_at_rest, "the kernel to have taken old namespaces apart", 60)
    began = time.monotonic()
    subprocess.run(words, capture_output=True, check=True, cwd=REPOSITORY)
    return time.monotonic() - began


def _at_rest() -> bool:
    """Whether nothing is being taken apart. That goes by fits and starts, so a single look may find a pause in it."""
    return all(_is_quick() for _ in range(10))


def _is_quick() -> bool:
    began = time.monotonic()
    subprocess.run(["unshare", "--net", "true"], check=True)
    return time.monotonic() - began < REST


def _free() -> float:
    """MB that are available, once nothing is being taken apart any more."""
    lines = Path("/proc/meminfo").read_text().splitlines()
    (line,) = [line for line in lines if line.startswith("MemAvailable:")]
    return int(line.split()[1]) / 1024
