"""The engines of a lab: started beside their TUN device, and what each has counted and said.

An engine is the built-in one or anybody's program that is named in the file. The built-in one tells when it is ready.
Of any other program that can only be seen from outside: it has the TUN device open, so the device has a carrier, and
it has its UDP port.
"""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TextIO, cast

from labctl.engine.counters import Counters
from labctl.engine.endpoint import preload, serve
from labctl.engine.errors import EngineError
from labctl.engine.jail import NOBODY
from labctl.engine.ttun import endpoint_of
from labctl.errors import KernelRefused, UsageError
from labctl.kernel import directory, namespaces
from labctl.kernel.observe import observe
from labctl.kernel.sockets import bound
from labctl.kernel.syscalls import CLONE_NEWNET, setns
from labctl.kernel.tuntap import uid_of
from labctl.lab import starting
from labctl.lab.capped import CappedLog
from labctl.lab.journal import Engine
from labctl.lab.processes import Process
from labctl.lab.state import State
from labctl.plan.steps import StartEngine

PATIENCE = 5.0
"""Seconds that somebody's own program has to open its device and its port."""

PAUSE = 0.01


@contextmanager
def forked(steps: Sequence[StartEngine], state: State) -> Iterator[Callable[[], Iterator[StartEngine]]]:
    """Fork the engines of endpoints; gives what lets them begin, each in the namespace of its device.

    That gives each step when it is done, and raises the LabError that kept the first of those that failed from it.
    """
    if not steps:
        yield lambda: iter(())
        return
    plans = [_plan(step, state) for step in steps]
    with starting.forked(plans, preload) as waiting:

        def begin() -> Iterator[StartEngine]:
            for step, process in zip(steps, waiting.begin(), strict=True):
                if step.program:
                    _until_ready(step, process, state)
                yield step

        yield begin


def _plan(step: StartEngine, state: State) -> starting.Plan:
    return starting.Plan(
        f"the engine of {step.subject}",
        step.command,
        state.log_of(step.subject),
        lambda process: state.record_engine(step.subject, Engine(process, step.command)),
        _program(step) if step.program else _built_in(step, state),
    )


def _built_in(step: StartEngine, state: State) -> starting.Work:
    endpoint = endpoint_of(shlex.split(step.command)[1:])
    run_as = uid_of(step.run_as) if step.run_as else NOBODY

    def work(ready: Callable[[], None]) -> None:
        def forwarding(engaged: list[str]) -> None:
            print(f"ttun: {step.subject} forwards; offload engaged: {' '.join(engaged) or 'none'}", flush=True)
            ready()

        _enter(step.namespace)
        try:
            ending = serve(
                endpoint,
                counters_path=state.counters_of(step.subject),
                control_path=state.control_of(step.subject),
                ready=forwarding,
                out=cast("TextIO", CappedLog(sys.stdout)),
                run_as=run_as,
            )
        except EngineError as error:
            raise KernelRefused(
                f"the engine of {step.subject} cannot start: {error.what}", error.why, error.hint
            ) from None
        print(f"ttun: {step.subject} {ending.value}", flush=True)

    return work


def _program(step: StartEngine) -> starting.Work:
    called_from = directory.here()  # a relative command is meant from where labctl was called

    def work(ready: Callable[[], None]) -> None:
        _enter(step.namespace)
        directory.return_to(called_from)
        if step.run_as:
            uid = uid_of(step.run_as)
            os.setgroups([])
            os.setresgid(uid, uid, uid)
            os.setresuid(uid, uid, uid)
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # Python ignores it, and exec would hand that on
        if shutil.which(step.program[0]) is None:
            raise UsageError(
                f"the engine of {step.subject} cannot be run: {step.command}",
                f"there is no program {step.program[0]!r}, or it may not be run",
                "install it, or correct `engine:` in the file",
            )
        ready()
        os.execvp(step.program[0], step.program)

    return work


def _enter(namespace: str) -> None:
    # The descriptor is opened here: it is of no use to anybody else, and the namespace is already named.
    setns(namespaces.open_namespace(namespace), CLONE_NEWNET)


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


def counted(device: str, state: State) -> dict[str, int]:
    """What a built-in engine has counted so far, by name; empty where nothing is to be had."""
    try:
        counters = Counters.open(state.counters_of(device))
    except (OSError, ValueError):
        return {}
    with counters:
        return counters.snapshot()


def engaged(device: str, state: State) -> list[str]:
    """Which of the kernel's offloads a built-in engine uses; empty where nothing is to be had."""
    try:
        counters = Counters.open(state.counters_of(device))
    except (OSError, ValueError):
        return []
    with counters:
        return counters.features.words
