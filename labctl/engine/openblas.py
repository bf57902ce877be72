"""numpy without the threads of OpenBLAS, the library that numpy multiplies matrices with.

OpenBLAS starts a thread for each further CPU as soon as it is loaded, with buffers for matrices. An engine multiplies
none, and hundreds of engines may run on one machine. OpenBLAS reads the number of threads from the environment.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

_VARIABLE = "OPENBLAS_NUM_THREADS"


@contextmanager
def without_threads() -> Iterator[None]:
    """Let numpy be loaded in the body without further threads; the environment is the same before and after."""
    before = os.environ.get(_VARIABLE)
    os.environ[_VARIABLE] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ[_VARIABLE]
        else:
            os.environ[_VARIABLE] = before
