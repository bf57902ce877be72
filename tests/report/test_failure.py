"""How a failure is written."""

from __future__ import annotations

import pytest

from labctl.errors import LabError
from labctl.report.failure import show


def test_a_terminal_obeys_nothing_that_is_in_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    show(LabError("on srv1: \x1b]0;title\x07", "one\n\x9b31mtwo\r", "\ttry é"))
    told = capsys.readouterr().err
    assert told == "on srv1: \ufffd]0;title\ufffd\none\n\ufffd31mtwo\ufffd\n  → \ttry é\n"
