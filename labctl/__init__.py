"""labctl: network labs from one YAML file, as root or without any right.

    from labctl import Lab

    with Lab.up("two-site") as lab:
        lab.verify().raise_for_failures()
        print(lab["siteA"].run("ip route").stdout)

Each name is loaded when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from labctl.api.lab import Lab
    from labctl.api.namespace import Namespace
    from labctl.api.process import Process
    from labctl.errors import CommandFailed, CommandTimedOut, KernelRefused, LabError, MachineError, UsageError
    from labctl.lab.verify import ChecksFailed
    from labctl.topology.mistakes import TopologyMistakes
    from labctl.topology.model import Topology

_FROM = {
    "ChecksFailed": "labctl.lab.verify",
    "Lab": "labctl.api.lab",
    "Namespace": "labctl.api.namespace",
    "Process": "labctl.api.process",
    "Topology": "labctl.topology.model",
    "TopologyMistakes": "labctl.topology.mistakes",
    **dict.fromkeys(
        ("CommandFailed", "CommandTimedOut", "KernelRefused", "LabError", "MachineError", "UsageError"),
        "labctl.errors",
    ),
}

__all__ = [
    "ChecksFailed",
    "CommandFailed",
    "CommandTimedOut",
    "KernelRefused",
    "Lab",
    "LabError",
    "MachineError",
    "Namespace",
    "Process",
    "Topology",
    "TopologyMistakes",
    "UsageError",
]


def __getattr__(name: str) -> Any:
    if name not in _FROM:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_FROM[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*globals(), *_FROM]
