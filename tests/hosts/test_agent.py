"""What labctl on a host answers to work that it does not know, as where its files are not those of its version."""

from __future__ import annotations

from typing import Any

from labctl.api import agent
from labctl.errors import LabError
from labctl.hosts import answers


class _Sender:
    def __init__(self) -> None:
        self.said: list[Any] = []

    def send(self, said: bytes) -> None:
        self.said.append(answers.loads(said))


class _NoClient:
    def start(self, work: object) -> None:
        raise AssertionError("nothing is started")


def test_work_that_is_not_known_has_an_answer() -> None:
    here: Any = agent._Agent()
    here._sender, here._client = sender, _ = _Sender(), _NoClient()
    here.start(7, b"clabctl.api.work.no_such_module\nwork\n.")
    ((number, kind, error),) = sender.said
    assert (number, kind) == (7, "failed")
    assert isinstance(error, LabError) and "no_such_module" in error.why
