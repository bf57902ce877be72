"""The labs of commands: those of Python, whose work is done in the process of the command itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING, Self

import click

from labctl.api.caller import Caller, Result, Work
from labctl.api.lab import Lab
from labctl.api.work import inspect, lifecycle
from labctl.process.child import Tell

if TYPE_CHECKING:
    from labctl.lab.down import DownReport
    from labctl.lab.events import Event
    from labctl.lab.up import UpReport
    from labctl.rootless.context import Context


class ThisProcess:
    """A command of labctl: it has one thread, its own signal handlers, and ends with its work."""

    usable = True

    def do(self, work: Work[Result], listener: Tell, accept: Callable[[Result], object]) -> Result:
        command = click.get_current_context(silent=True)  # there is none where the Tab key is answered
        until_the_end = command.find_object(ExitStack) if command else None
        caller = Caller(listener, until_the_end=until_the_end or ExitStack())
        result = work(caller)
        try:
            accept(result)
        finally:
            for step in caller.if_received:
                step()
        return result

    def bind(self, lab: str) -> None:
        raise NotImplementedError("a lab that a command makes outlives it")

    def free(self, lab: str) -> None:
        pass


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

    def show_logs(self, named: Sequence[str], follow: bool, show: Callable[[str], object]) -> None:
        """Show lines of logs as `logs` yields them."""
        self._do(partial(inspect.logs, self.name, named, follow), show)


def make(
    file: str, name: str | None, fresh: bool, notify: Callable[[Event], object], accept: Callable[[UpReport], object]
) -> None:
    """Make a lab as `Lab.up` does. It outlives the command once `accept` has returned."""
    ThisProcess().do(partial(lifecycle.up, file, name, fresh, None), notify, accept)


def end(labs: Sequence[str]) -> DownReport:
    """End labs as `Lab.down` does, one or all."""
    return lifecycle.down(labs, Caller())
