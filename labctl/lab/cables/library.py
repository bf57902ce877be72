"""The library that seals what crosses between hosts: an extra, which a lab on one machine does without."""

from __future__ import annotations

from labctl.errors import MachineError

INSTALLED_BY = "pip install 'labctl-netns[hosts]'"


def load() -> None:
    """Load it; forked engines share it. Raise MachineError where it is not installed."""
    try:
        import labctl.engine.cable.aead  # noqa: F401
    except ImportError as error:
        raise MachineError("a cable between hosts needs the library cryptography", str(error), INSTALLED_BY) from None
