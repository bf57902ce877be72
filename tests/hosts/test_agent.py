"""What labctl on a host answers to work that it does not know, as where its files are not those of its version."""

from __future__ import annotations

import pytest

from labctl.api.answering import AsAnswers
from labctl.api.client import client
from labctl.errors import LabError


def test_work_that_is_not_known_has_an_answer() -> None:
    not_known = client().start(AsAnswers(7, b"clabctl.api.work.no_such_module\nwork\n."))
    with not_known as call, pytest.raises(LabError, match="it is not known here what is asked") as raised:
        call.result()
    assert "no_such_module" in raised.value.why
