"""What one more engine takes: its proportional set size (PSS), the memory that would be free without it.

labctl forks its engines from a process that has all that they need loaded, so they share most pages with it and
with each other. Several are started here in the same way; a lone `ttun` is measured beside them.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from benchmarks.contenders import PORT
from benchmarks.world import WIRE, Pair, wait_for
from labctl.lab.engines.forkserver_client import BEGINNING
from labctl.process.python_code import python

ENGINES = 4

_FORK = """
import os, sys
from labctl.engine.endpoint import Endpoint, serve
from labctl.engine.packets.address import Address
ends = [(Address("{a}", 9100 + number), Address("{b}", 9100 + number)) for number in range({engines})]
endpoints = [Endpoint(f"tun{{number}}", *each, offload={offload}) for number, each in enumerate(ends)]
kinds = endpoints[0].kinds
gc.freeze()
for endpoint in endpoints:
    if os.fork() == 0:
        serve(endpoint, kinds, out=sys.stdout)
        os._exit(0)
os.wait()
"""


def pss(pid: int) -> float:
    """The PSS of a process in MB."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) / 1024
    raise ValueError(f"/proc/{pid}/smaps_rollup has no Pss")


def measure() -> dict[str, list[float]]:
    """PSS in MB by contender; one number for each process."""
    found: dict[str, list[float]] = {}
    for name, offload in (("labctl", True), ("labctl-no-offload", False)):
        pair = Pair("memory", 1500)
        try:
            script = _FORK.format(engines=ENGINES, a=WIRE.a, b=WIRE.b, offload=offload)
            parent = pair.start("a", *python(f"{BEGINNING}; exec({script!r})"))
            children = Path(f"/proc/{parent.pid}/task/{parent.pid}/children")
            wait_for(lambda: sum(map(_is_unprivileged, children.read_text().split())) == ENGINES, "engines")  # noqa: B023
            engines = [int(each) for each in children.read_text().split()]
            found[name] = [pss(each) for each in engines]
            # They end with the device: killing the parent alone would leave them.
            for each in engines:
                os.kill(each, 15)
            parent.wait(10)
        finally:
            pair.close()
    for name, words in (
        ("ttun", (sys.executable, "-m", "labctl.engine.ttun", "tun0", WIRE.a, PORT, WIRE.b, PORT)),
        ("socat", ("socat", "TUN,tun-name=tun0,iff-no-pi", f"UDP:{WIRE.b}:{PORT},bind={WIRE.a}:{PORT}")),
    ):
        pair = Pair("memory", 1500)
        try:
            process = pair.start("a", *words)
            wait_for(lambda: PORT in pair.run("a", "ss", "-aun"), name)  # noqa: B023
            found[name] = [pss(process.pid)]
        except OSError:
            continue
        finally:
            pair.close()
    return found


def _is_unprivileged(pid: str) -> bool:
    try:
        return "NoNewPrivs:\t1" in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False
