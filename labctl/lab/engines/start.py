"""Starting the engines of a lab, and waiting until they are ready.

An engine is the built-in one or a program that is named in the file. The built-in one reports that it is ready.
Of any other program that is seen from outside: it has the TUN device open, so the device has a carrier, and it has
bound its UDP port.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from labctl.kernel import namespaces
from labctl.kernel.observe import observe
from labctl.kernel.sockets import bound
from labctl.kernel.tuntap import uid_of
from labctl.lab import stray_processes
from labctl.lab.engines.forkserver_client import Waiting
from labctl.lab.engines.logs import last_words
from labctl.lab.engines.program_files import signatures
from labctl.lab.engines.supervisor import ProgramFailed
from labctl.lab.engines.task import Task
from labctl.lab.journal import Engine
from labctl.lab.session import Session
from labctl.lab.state import State
from labctl.plan.engine_spec import EngineSpec
from labctl.plan.steps import StartEngine
from labctl.process import processes, working_directory
from labctl.process.disk import remove
from labctl.process.log_file import stamp
from labctl.process.patience import Patience
from labctl.process.processes import Process, title_of

PATIENCE = 5.0
"""Seconds that a program has to open its device and its port."""


@contextmanager
def forked(steps: Sequence[StartEngine], session: Session) -> Iterator[Iterator[StartEngine]]:
    """Fork the engines of endpoints. Yield their steps, each as soon as it is done; all begin with the first `next`.

    The steps raise the LabError of the first engine that does not become ready.
    """
    if not steps:
        yield iter(())
        return
    tasks = [_task(step.spec, session.state) for step in steps]
    with session.fork(tasks) as waiting:
        yield _begun(steps, tasks, session.state, waiting)


def _begun(
    steps: Sequence[StartEngine], tasks: Sequence[Task], state: State, waiting: Waiting
) -> Iterator[StartEngine]:
    since = stamp(time.time_ns())
    for step in steps:
        if step.spec.program:
            _refuse_if_open(step.spec, state)

    def record(number: int, process: Process) -> None:
        spec = steps[number].spec
        if spec.program:  # of a built-in engine that served the device before
            remove(state.counters_of(spec.device))
            remove(state.control_of(spec.device))
        files = signatures(spec.program, tasks[number].directory) if spec.program else {}
        state.record_engine(Engine(process, spec, files))

    for step, process in zip(steps, waiting.begin(record), strict=True):
        if step.spec.program:
            _until_ready(step.spec, process, state, since)
        yield step


def _task(spec: EngineSpec, state: State) -> Task:
    return Task(
        spec,
        namespaces.path_of(spec.device.namespace),
        uid_of(spec.run_as) if spec.run_as else None,
        spec.directory or working_directory.here(),
        state.log_of(spec.device),
        state.counters_of(spec.device),
        state.control_of(spec.device),
    )


def _refuse_if_open(spec: EngineSpec, state: State) -> None:
    """Raise ProgramFailed where the device is open already: it would have a carrier, and the program no device."""
    if _opened(spec) in _lacking(spec):
        return
    found = stray_processes.holders(state.read().namespaces[spec.device.namespace], spec.device.interface)
    told = " and ".join(f"process {process.pid} ({title_of(process.pid)})" for process in found)
    pids = " ".join(str(process.pid) for process in found)
    raise ProgramFailed(
        f"the engine of {spec.device} cannot be started: {spec.device.interface} is open already",
        f"{told or 'a process of another namespace'} has it open",
        f"labctl exec {spec.device.namespace} -- kill {pids}" if found else "",
    )


def _until_ready(spec: EngineSpec, process: Process, state: State, since: str) -> None:
    """Wait until a program is ready. If it does not become so, end it and raise ProgramFailed."""
    lacking: list[str] = []
    for _ in Patience(PATIENCE, process.pid).looks():
        lacking = _lacking(spec)
        if not lacking:
            return
        if not process.alive():
            raise _failed(spec, "ended before it was ready", state, since)
    lacks = f"is not ready after {PATIENCE:g} s: it has not {' and not '.join(lacking)}"
    failed = _failed(spec, lacks, state, since)  # first: the program may write to its log when it is ended
    processes.end([process])
    raise failed


def _failed(spec: EngineSpec, what: str, state: State, since: str) -> ProgramFailed:
    said = "".join(f"\n    {line}" for line in last_words(state.log_of(spec.device), since))
    return ProgramFailed(
        f"the engine of {spec.device} {what}",
        f"  {spec.command} said:{said}" if said else f"{spec.command} said nothing",
        "correct the program, then run the same command again",
    )


def _opened(spec: EngineSpec) -> str:
    return f"opened {spec.device.interface}"


def _lacking(spec: EngineSpec) -> list[str]:
    """Return what a program has not done yet."""
    there = observe(spec.device.namespace)
    attached = there is not None and spec.device.interface in there.links and there.links[spec.device.interface].carrier
    with namespaces.inside(spec.device.namespace):
        has_port = bound("udp", spec.bind.port)
    done = {_opened(spec): attached, f"bound UDP port {spec.bind.port}": has_port}
    return [what for what, is_done in done.items() if not is_done]
