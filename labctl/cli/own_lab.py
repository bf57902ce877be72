"""The labs of commands: those of Python, whose work is done in the process of the command itself."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING

import click

from labctl.api.caller import Caller, Result, Work
from labctl.api.lab import Lab
from labctl.api.work.lifecycle import up
from labctl.process.child import Tell

if TYPE_CHECKING:
    from labctl.lab.events import Event
    from labctl.lab.up import UpReport


class ThisProcess:
    """A command of labctl: it has one thread, its own signal handlers, and ends with its work."""

    usable = True

    def do(self, work: Work[Result], listener: Tell, accept: Callable[[Result], object]) -> Result:
        caller = Caller(listener, until_the_end=click.get_current_context().ensure_object(ExitStack))
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
    """A lab for a command of labctl."""

    @staticmethod
    def _new_worker() -> ThisProcess:
        return ThisProcess()


def make(
    file: str, name: str | None, fresh: bool, notify: Callable[[Event], object], accept: Callable[[UpReport], object]
) -> None:
    """Make a lab as `Lab.up` does. It outlives the command once `accept` has returned."""
    ThisProcess().do(partial(up, file, name, fresh), notify, accept)
