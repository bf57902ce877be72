"""What a child process replies."""

from __future__ import annotations

import os
import signal
from typing import Any

import pytest

from labctl.process.child import Reply, start


class _Interrupting(Exception):
    """An error amidst whose telling Ctrl-C is heard again."""

    def __reduce__(self) -> Any:
        os.kill(os.getpid(), signal.SIGINT)
        return LookupError, ("told",)


def test_an_error_is_told_though_a_signal_comes_once_more() -> None:
    def work(_: Reply) -> None:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        raise _Interrupting

    child = start(work)
    with pytest.raises(LookupError, match="told"):
        child.result()
