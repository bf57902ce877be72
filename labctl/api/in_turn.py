"""Checks of a lab that a Python program asks one after the other, as tests do, by one login to each host."""

from __future__ import annotations

from functools import partial

from labctl.api.calls import operate
from labctl.api.client import Call, client
from labctl.errors import LabError
from labctl.lab.verify import Verified


class InTurn:
    """What runs the checks of a lab in turn. Close it in the end."""

    def __init__(self, lab: str) -> None:
        self._lab = lab
        self._call: Call | None = None

    def verify(self, check: str) -> Verified:
        """Run a check, with what it needs. Raise as `Lab.verify` does."""
        if self._call is None or self._call.over:
            self._call = client().start(partial(operate.verify_in_turn, self._lab))
        try:
            self._call.say(check)
            answer: Verified | LabError = next(self._call)
        except BaseException:
            self.close()  # what was asked for is not to be the answer to the next question
            raise
        if isinstance(answer, LabError):
            raise answer
        return answer

    def close(self) -> None:
        """Ask for nothing more."""
        if self._call is not None:
            self._call.say(None)
            self._call.__exit__()
            self._call = None
