"""What is told while a lab is made."""

from __future__ import annotations

import pytest

from labctl.lab.events import Waited
from labctl.report.live import UpView


def test_a_wait_for_the_kernel_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    UpView().notify(Waited(4.26))
    assert "kept new namespaces waiting for 4.3 s" in capsys.readouterr().out
