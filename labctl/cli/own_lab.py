"""The labs of commands: those of Python, whose work is done in the process of the command itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Self

from labctl.api.calls import inspect
from labctl.api.lab import Lab
from labctl.cli.this_process import ThisProcess

if TYPE_CHECKING:
    pass


class OwnLab(Lab):
    """A lab for a command of labctl."""

    @classmethod
    def known(cls, name: str) -> Self:
        """Return a lab that is known to run."""
        return cls._known(name, ThisProcess())

    @staticmethod
    def _new_worker() -> ThisProcess:
        return ThisProcess()

    def show_logs(self, named: Sequence[str], follow: bool, show: Callable[[str], object]) -> None:
        """Show lines of logs as `logs` yields them."""
        self._do(partial(inspect.logs, self.name, named, follow), show)
