"""The work of a command is done in its own process: what makes a lab and ends it begins here, without all of `Lab`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from labctl.api.caller import Caller, Result, Work
from labctl.api.calls import lifecycle
from labctl.process.child import Tell

if TYPE_CHECKING:
    from labctl.lab.down import DownReport
    from labctl.lab.events import Event
    from labctl.lab.up import UpReport


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

    def bind(self, lab: str, end: Work[Any]) -> None:
        raise NotImplementedError("a lab that a command makes outlives it")

    def free(self, lab: str) -> None:
        pass


def make(
    file: str,
    name: str | None,
    inventory: str | None,
    fresh: bool,
    notify: Callable[[Event], object],
    accept: Callable[[UpReport], object],
) -> None:
    """Make a lab as `Lab.up` does. It outlives the command once `accept` has returned."""
    ThisProcess().do(partial(lifecycle.up, file, name, inventory, fresh, None), notify, accept)


def end(labs: Sequence[str]) -> DownReport:
    """End labs as `Lab.down` does, one or all."""
    return lifecycle.down(labs, Caller())
