"""The engines of a lab: started beside their TUN device, and waited for.

An engine is the built-in one or anybody's program that is named in the file. The built-in one tells when it is ready.
Of any other program that can only be seen from outside: it has the TUN device open, so the device has a carrier, and
it has its UDP port.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from labctl.errors import KernelRefused
from labctl.kernel import directory, namespaces
from labctl.kernel.observe import observe
from labctl.kernel.sockets import bound
from labctl.kernel.tuntap import uid_of
from labctl.lab.journal import Engine
from labctl.lab.processes import Process
from labctl.lab.starting import Fork, Waiting
from labctl.lab.state import State
from labctl.lab.task import Task
from labctl.plan.steps import StartEngine

PATIENCE = 5.0
"""Seconds that somebody's own program has to open its device and its port."""

PAUSE = 0.01


@contextmanager
def forked(steps: Sequence[StartEngine], state: State, fork: Fork) -> Iterator[Iterator[StartEngine]]:
    """Fork the engines of endpoints; gives their steps, each when it is done. All begin when the first is asked for.

    Asking raises the LabError that kept the first of those that failed from being ready.
    """
    if not steps:
        yield iter(())
        return
    with fork([_task(step, state) for step in steps]) as waiting:
        yield _begun(steps, state, waiting)


def _begun(steps: Sequence[StartEngine], state: State, waiting: Waiting) -> Iterator[StartEngine]:
    def record(number: int, process: Process) -> None:
        state.record_engine(steps[number].subject, Engine(process, steps[number].command))

    for step, process in zip(steps, waiting.begin(record), strict=True):
        if step.program:
            _until_ready(step, process, state)
        yield step


def _task(step: StartEngine, state: State) -> Task:
    return Task(
        step.subject,
        namespaces.path_of(step.namespace),
        step.command,
        step.program,
        uid_of(step.run_as) if step.run_as else None,
        directory.here(),
        state.log_of(step.subject),
        state.counters_of(step.subject),
        state.control_of(step.subject),
    )


def _until_ready(step: StartEngine, process: Process, state: State) -> None:
    deadline = time.monotonic() + PATIENCE
    while not _is_ready(step):
        if not process.alive():
            raise KernelRefused(f"the engine of {step.subject} ended at once: {step.command}", _last_words(step, state))
        if time.monotonic() >= deadline:
            raise KernelRefused(
                f"the engine of {step.subject} is not ready after {PATIENCE:g} s: {step.command}",
                f"it must open {step.interface} and bind UDP port {step.bind_port}; {_last_words(step, state)}",
            )
        time.sleep(PAUSE)


def _last_words(step: StartEngine, state: State) -> str:
    said = state.log_of(step.subject).read_text(errors="replace").split()
    return f"it said: {' '.join(said[-30:])}" if said else "it said nothing"


def _is_ready(step: StartEngine) -> bool:
    there = observe(step.namespace)
    attached = there is not None and step.interface in there.links and there.links[step.interface].carrier
    with namespaces.inside(step.namespace):
        return attached and bound("udp", step.bind_port)
