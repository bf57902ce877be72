"""Who looks at a lab, by what each does: for `Watch`."""

from __future__ import annotations

from collections.abc import Mapping

from labctl.lab.live.checker import check
from labctl.lab.live.comparer import compare
from labctl.lab.live.observer import observe
from labctl.lab.live.tapper import tap
from labctl.lab.live.topology_reader import read_topology
from labctl.lab.live.watch import Work

LOOKS: Mapping[str, Work] = {"observe": observe, "compare": compare}
"""What every view needs: what is there, what it counts, and how it differs from its file."""

CHECKS: Mapping[str, Work] = {"check": check}
"""Who runs the checks, again and again."""

TAPS: Mapping[str, Work] = {"tap": tap}
"""Who looks at packets, which costs something where many cross."""

TOPOLOGY: Mapping[str, Work] = {"topology": read_topology}
"""Who reads what the lab was made of, for views that draw it."""
