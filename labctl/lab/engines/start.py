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
from labctl.lab import stray_processes
from labctl.lab.engines.forkserver_client import Waiting
from labctl.lab.engines.task import EngineTask, Task
from labctl.lab.journal import Engine
from labctl.lab.programs.errors import ProgramFailed
from labctl.lab.programs.failure import failed
from labctl.lab.programs.launch import Launch
from labctl.lab.programs.program_files import signatures
from labctl.lab.programs.strays import marks
from labctl.lab.programs.task import ProgramTask
from labctl.lab.session import Session
from labctl.lab.state import State
from labctl.plan.engine_spec import EngineSpec
from labctl.plan.steps import StartEngine
from labctl.process import processes, working_directory
from labctl.process.disk import remove
from labctl.process.log_file import stamp
from labctl.process.patience import Patience
from labctl.process.processes import Process, title_of
from labctl.process.users import uid_of, user_here
from labctl.topology.program_ref import ProgramRef

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
        files = signatures(spec.program, _directory(spec)) if spec.program else {}
        state.record_engine(Engine(process, spec, files))

    for step, process in zip(steps, waiting.begin(record), strict=True):
        if step.spec.program:
            _until_ready(step.spec, process, state, since)
        yield step


def _task(spec: EngineSpec, state: State) -> Task:
    namespace, log = namespaces.path_of(spec.device.namespace), state.log_of(spec.device)
    if not spec.program:
        run_as = uid_of(spec.run_as) if spec.run_as else None
        return EngineTask(spec, namespace, run_as, log, state.counters_of(spec.device), state.control_of(spec.device))
    user = user_here(spec.run_as) if spec.run_as else None
    launch = Launch(spec.program, _directory(spec), marks(state.lab, ProgramRef(*spec.device)), user)
    return ProgramTask(_name(spec), spec.command, launch, namespace, log, state.run_record_of(spec.device))


def _directory(spec: EngineSpec) -> str:
    return spec.directory or working_directory.here()


def _name(spec: EngineSpec) -> str:
    return f"the engine of {spec.device}"


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
            raise failed(_name(spec), spec.command, "ended before it was ready", state.log_of(spec.device), since)
    lacks = f"is not ready after {PATIENCE:g} s: it has not {' and not '.join(lacking)}"
    # First: the program may write to its log when it is ended.
    error = failed(_name(spec), spec.command, lacks, state.log_of(spec.device), since)
    processes.end([process], processes.GRACE_OF_SUPERVISOR)
    raise error


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
