"""The name under which ps(1) shows a process."""

from __future__ import annotations

from labctl.process.submodule_import import bare

# The package itself loads the logging of Python, which would then run code of its own in every child that is forked.
try:
    with bare("setproctitle"):
        from setproctitle._setproctitle import setproctitle as set_title
except ImportError:
    from setproctitle import setproctitle as set_title

__all__ = ["set_title"]
