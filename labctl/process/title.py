"""The name under which ps(1) shows a process."""

from __future__ import annotations

import sys

from labctl.process.submodule_import import submodules_of

# The package itself imports logging, which registers code to run in every child that is forked.
try:
    with submodules_of("setproctitle"):
        from setproctitle._setproctitle import setproctitle as set_title
except ImportError:
    from setproctitle import setproctitle as set_title

EXTENSION = sys.modules[set_title.__module__].__file__ or ""
"""The file of the compiled module, for a program that imports nothing else."""

__all__ = ["EXTENSION", "set_title"]
