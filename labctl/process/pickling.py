"""The functions of `pickle` that are compiled, without the same in Python, which that module loads besides.

Every process of a lab has them in its memory; `pickle` would take 0.3 MB more.
"""

from __future__ import annotations

from _pickle import UnpicklingError, dump, dumps, load, loads

__all__ = ["UnpicklingError", "dump", "dumps", "load", "loads"]
