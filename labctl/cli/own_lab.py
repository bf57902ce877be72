"""The labs of commands: those of Python, whose work is done in the process of the command itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Self

from labctl.api.lab import Lab
from labctl.api.work import inspect
from labctl.cli.this_process import ThisProcess

if TYPE_CHECKING:
    from labctl.live.events import Event
    from labctl.rootless.context import Context


class OwnLab(Lab):
    """A lab for a command of labctl; `context` is for what the command does there beside its terminal."""

    context: Context

    @classmethod
    def at(cls, name: str, context: Context) -> Self:
        """Return a lab that runs, where it is known to run."""
        lab = cls._known(name, ThisProcess())
        lab.context = context
        return lab

    @staticmethod
    def _new_worker() -> ThisProcess:
        return ThisProcess()

    def follow_events(self, verify: bool, show: Callable[[float, Event], object]) -> None:
        """Show what happens, until this is interrupted."""

        def hear(happened: tuple[float, Event] | None) -> None:
            if happened is not None:
                show(*happened)

        self._do(partial(inspect.events, self.name, verify), hear)

    def show_logs(self, named: Sequence[str], follow: bool, show: Callable[[str], object]) -> None:
        """Show lines of logs as `logs` yields them."""
        self._do(partial(inspect.logs, self.name, named, follow), show)
