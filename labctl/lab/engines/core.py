"""Which core engines have that are started now, as `labctl doctor` shows it."""

from __future__ import annotations

from labctl.engine.core import library
from labctl.rootless.userns_diagnosis import Diagnosis


def found() -> Diagnosis:
    """Return the row about it, with what helps where it is the slower one for want of a compiler."""
    core, why = library.chosen()
    if core == "c":
        return Diagnosis("engine", "ok", f"its core is in C ({why})")
    compiler = "install a C compiler (Debian: gcc libc6-dev) and then labctl again; engines forward, but slower"
    return Diagnosis("engine", "note", f"its core is in Python ({why})", "" if library.is_unwanted() else compiler)
