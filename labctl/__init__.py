"""labctl: network labs from one YAML file, as root or without any right.

    from labctl import Lab

    with Lab.up("two-site") as lab:
        lab.verify().raise_for_failures()
        print(lab["siteA"].run("ip route").stdout)

Each name is loaded when it is first used.
"""

from __future__ import annotations

__version__ = "0.1.0"

TYPE_CHECKING = False  # as in typing, which takes longer to load than an engine can wait for
if TYPE_CHECKING:
    from labctl.api.lab import Lab
    from labctl.api.machine import doctor
    from labctl.api.namespace import Namespace
    from labctl.api.process import Process
    from labctl.errors import CommandFailed, CommandTimedOut, KernelRefused, LabError, MachineError, UsageError
    from labctl.lab.verify import ChecksFailed
    from labctl.topology.mistakes import TopologyMistakes
    from labctl.topology.model import Topology

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
    "doctor",
]


_FROM = {
    "ChecksFailed": "labctl.lab.verify",
    "Lab": "labctl.api.lab",
    "Namespace": "labctl.api.namespace",
    "Process": "labctl.api.process",
    "Topology": "labctl.topology.model",
    "TopologyMistakes": "labctl.topology.mistakes",
    "doctor": "labctl.api.machine",
}
"""Where a name is from that is no error of errors.py."""

if not TYPE_CHECKING:

    def __getattr__(name):
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from importlib import import_module

        value = getattr(import_module(_FROM.get(name, "labctl.errors")), name)
        globals()[name] = value
        return value

    def __dir__():
        return sorted({*globals(), *__all__})
