"""`python -m benchmarks.cable_end DEVICE NAMESPACE HOST CABLE OURS THEIRS DIRECTORY`: one end of a cable.

It runs in the network namespace of a host, binds its socket there and serves the TAP device in another namespace, which
is named by a file as /proc/PID/ns/net is one. Its counters and its control socket are in a directory.
"""

from __future__ import annotations

import gc
import os
import sys
from pathlib import Path

from labctl.engine.cable.forward import Ends
from labctl.engine.cable.serve import serve
from labctl.engine.cable.udp import bound
from labctl.process.syscalls import CLONE_NEWNET, setns

gc.set_threshold(50_000)  # as in engines of labctl (lab/engines/forkserver.py)
device, namespace, host, cable, ours, theirs, directory = sys.argv[1:]
with bound(host, (0,)) as opened:
    lab = os.open(namespace, os.O_RDONLY)
    serve(
        device,
        Ends(cable, ours, theirs),
        opened,
        counters_path=Path(directory, f"{ours}.counters"),
        control_path=Path(directory, f"{ours}.control"),
        begin=lambda: setns(lab, CLONE_NEWNET),
        out=sys.stdout,
    )
