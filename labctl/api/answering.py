"""Work that another machine asks for: it comes as it was sent, and what is told and what comes of it are answers.

All that is read and written where the work is done, by a process that has loaded what it is about. The one that hears
and sends it on (agent.py) loads nothing of that, which would take it longer than the work.
"""

from __future__ import annotations

import pickle
from dataclasses import replace
from typing import Any

from labctl.api.caller import Caller, Work
from labctl.errors import LabError
from labctl.frozen import frozen
from labctl.hosts import answers


@frozen
class AsAnswers:
    """Some work, as it was sent, and its number there. Each thing told is an answer, as is the result."""

    number: int
    sent: bytes

    def __call__(self, caller: Caller) -> bytes:
        """Do the work. Return the answer. Raise LabError, also for work that this labctl does not know."""
        plain = replace(
            caller,
            tell=lambda what: caller.tell(self._answer("told", what)),
            hear=lambda: pickle.loads(caller.hear()),
        )
        return self._answer("result", self._work()(plain))

    def _work(self) -> Work[Any]:
        try:
            work: Work[Any] = pickle.loads(self.sent)
        except Exception as error:  # of another labctl, though it says that it is of this version
            raise LabError("it is not known here what is asked", f"{type(error).__name__}: {error}") from None
        return work

    def _answer(self, kind: str, what: object) -> bytes:
        return answers.dumps((self.number, kind, what))
