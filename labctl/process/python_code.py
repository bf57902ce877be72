"""Python code as a program of its own."""

from __future__ import annotations

import os
import sys


def python(code: str) -> list[str]:
    """Return a command that runs Python code with the module path of this process, whatever the working directory."""
    path = [os.path.abspath(__file__).removesuffix("/labctl/process/python_code.py"), *sys.path]
    return [sys.executable, "-S", "-P", "-c", f"import sys; sys.path[:] = {path!a}; {code}"]
