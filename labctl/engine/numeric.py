"""numpy, imported in the one way that suits a small process that has many sisters.

numpy loads OpenBLAS, which at once starts a thread for each further CPU, with buffers for matrices. The
engine multiplies none, so OpenBLAS is told to start none. The environment is then as it was before: what
this process starts is not our business.
"""

from __future__ import annotations

import os

_KNOB = "OPENBLAS_NUM_THREADS"
_before = os.environ.get(_KNOB)
os.environ[_KNOB] = "1"
import numpy as np  # noqa: E402
import numpy.typing as npt  # noqa: E402

if _before is None:
    del os.environ[_KNOB]
else:
    os.environ[_KNOB] = _before

__all__ = ["np", "npt"]
